-- Who holds a module: the references out at a moment, oldest first.
-- :module  text, optional. Only references to this module.
-- :at      integer, optional. The moment, ns on the capture's clock; its end unless said.
--
-- module     module held
-- nth        which load of it, 1 for the first seen
-- call_site  caller of the get, as printed; NULL: taken without an event
-- comm       task that took it
-- pid        thread id of that task
-- cpu        CPU it was taken on
-- context    task, softirq, hardirq, nmi or unknown
-- get_ns     when it was taken, ns on the capture's clock
-- age_ns     for how long by that moment, ns
-- family     which kind of pairing it belongs to
-- ambiguous  1 when another reference could be the one still out
-- input      path of the capture
-- line       1-based line of the get in that capture
-- stack      innermost frame first; NULL: none was recorded
WITH
  -- The merged stream is in order of time, so a moment is a place in it.
  now AS (
    SELECT seq, coalesce(:at, ts) AS ns
    FROM event_rows
    WHERE :at IS NULL OR ts <= :at
    ORDER BY seq DESC
    LIMIT 1
  )
SELECT
  i.module AS module,
  i.nth AS nth,
  c.text AS call_site,
  t.comm AS comm,
  t.pid AS pid,
  e.cpu AS cpu,
  x.name AS context,
  e.ts AS get_ns,
  now.ns - e.ts AS age_ns,
  f.text AS family,
  r.ambiguous AS ambiguous,
  p.path AS input,
  e.line AS line,
  (SELECT group_concat(value, ' <- ') FROM json_each(st.frames)) AS stack
FROM now
CROSS JOIN hard_refs AS r
JOIN incarnations AS i ON i.id = r.incarnation
LEFT JOIN families AS f ON f.id = r.family
LEFT JOIN event_rows AS e ON e.seq = r.get
LEFT JOIN tasks AS t ON t.id = e.task
LEFT JOIN stacks AS st ON st.id = e.stack
LEFT JOIN shapes AS s ON s.id = e.shape
LEFT JOIN contexts AS x ON x.id = s.context
LEFT JOIN codes AS c ON c.id = s.code
LEFT JOIN inputs AS p ON p.id = s.input
WHERE (:module IS NULL OR i.module = :module)
  AND i.first <= now.seq
  AND (i.free IS NULL OR i.free > now.seq)
  AND (r.get IS NULL OR r.get <= now.seq)
  AND (r.put IS NULL OR r.put > now.seq)
ORDER BY i.module, i.nth, r.get;
