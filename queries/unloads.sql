-- Unloads that began: who, when, how long until the text was freed, and what was still held then.
-- :module  text, optional. Only this module.
--
-- module    module unloaded
-- nth       which load of it, 1 for the first seen
-- comm      task that began it
-- pid       thread id of that task
-- going_ns  when it began, ns on the capture's clock
-- free_ns   when the text was freed, ns; NULL: not seen
-- took_ns   from the one to the other, ns
-- outcome   how that life ended
-- held      references out when it began
-- held_by   their call sites; NULL: none, or taken without an event
WITH
  outstanding AS (
    SELECT r.incarnation AS incarnation, r.get AS get
    FROM hard_refs AS r
    JOIN incarnations AS i ON i.id = r.incarnation
    WHERE i.going IS NOT NULL
      AND (:module IS NULL OR i.module = :module)
      AND (r.get IS NULL OR r.get < i.going)
      AND (r.put IS NULL OR r.put > i.going)
  ),
  held AS (
    SELECT o.incarnation AS incarnation, count(*) AS held, group_concat(DISTINCT c.text) AS held_by
    FROM outstanding AS o
    LEFT JOIN event_rows AS e ON e.seq = o.get
    LEFT JOIN shapes AS s ON s.id = e.shape
    LEFT JOIN codes AS c ON c.id = s.code
    GROUP BY o.incarnation
  )
SELECT
  i.module AS module,
  i.nth AS nth,
  t.comm AS comm,
  t.pid AS pid,
  going.ts AS going_ns,
  freed.ts AS free_ns,
  freed.ts - going.ts AS took_ns,
  i.outcome AS outcome,
  coalesce(h.held, 0) AS held,
  h.held_by AS held_by
FROM incarnations AS i
JOIN event_rows AS going ON going.seq = i.going
LEFT JOIN tasks AS t ON t.id = going.task
LEFT JOIN event_rows AS freed ON freed.seq = i.free
LEFT JOIN held AS h ON h.incarnation = i.id
WHERE :module IS NULL OR i.module = :module
ORDER BY i.going;
