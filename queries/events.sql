-- The events, in order; with a module, those about it and those whose call site or function lies in it.
-- :module  text, optional. Only this module.
-- :kind    text, optional. Only this kind, spelt as the tracepoint: module_get, module_put, module_free …
-- :from    integer, optional. Not before this moment, ns on the capture's clock.
-- :to      integer, optional. Not after this moment, ns.
-- :limit   integer, optional. At most so many; 1000 unless said, -1 for all.
--
-- seq        position in the merged stream
-- ns         time on the capture's clock
-- input      path of the capture
-- line       1-based line of that capture
-- kind       tracepoint, or what the probe saw: function_entry, function_return
-- module     module it is about
-- call_site  caller of the get, put or request, as printed
-- fn         function entered, left, queued or run, as printed
-- refcnt     printed after a get or put, base included
-- comm       task's name
-- pid        thread id, 0 for idle, -1 unknown
-- cpu        CPU, -1 unknown
-- context    task, softirq, hardirq, nmi or unknown
SELECT
  e.seq AS seq,
  e.ns AS ns,
  i.path AS input,
  e.line AS line,
  e.kind AS kind,
  e.module AS module,
  e.call_site AS call_site,
  e.fn AS fn,
  e.refcnt AS refcnt,
  e.comm AS comm,
  e.pid AS pid,
  e.cpu AS cpu,
  e.context AS context
FROM (
  -- Chosen on the narrow rows first: names are looked up for what is shown only.
  SELECT seq
  FROM event_rows
  WHERE shape IN (
      SELECT s.id
      FROM shapes AS s
      JOIN kinds AS k ON k.id = s.kind
      LEFT JOIN codes AS c ON c.id = s.code
      WHERE (:module IS NULL OR s.module = :module OR c.module = :module)
        AND (:kind IS NULL OR k.name = :kind)
    )
    AND (:from IS NULL OR ts >= :from)
    AND (:to IS NULL OR ts <= :to)
  ORDER BY seq
  LIMIT coalesce(:limit, 1000)
) AS chosen
-- CROSS fixes the order: otherwise SQLite walks all events to look each up among the chosen.
CROSS JOIN events AS e ON e.seq = chosen.seq
LEFT JOIN inputs AS i ON i.id = e.input
ORDER BY e.seq;
