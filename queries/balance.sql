-- References taken and dropped per call site, most still held first.
-- :module  text, optional. Only references to this module.
--
-- module     module whose references these are
-- call_site  caller of the get or put, as printed; NULL: taken without an event
-- gets       references taken here
-- puts       references dropped here; a get and its put often come from different call sites
-- held       references taken here and never given back
WITH
  sites AS (
    SELECT
      s.module AS module,
      c.text AS call_site,
      sum(iif(k.name = 'module_get', s.events, 0)) AS gets,
      sum(iif(k.name = 'module_put', s.events, 0)) AS puts,
      0 AS held
    FROM shapes AS s
    JOIN kinds AS k ON k.id = s.kind
    JOIN codes AS c ON c.id = s.code
    WHERE k.name IN ('module_get', 'module_put')
      AND (:module IS NULL OR s.module = :module)
    GROUP BY s.module, c.text
  ),
  open AS (
    SELECT i.module AS module, c.text AS call_site, 0 AS gets, 0 AS puts, count(*) AS held
    FROM hard_refs AS r
    JOIN incarnations AS i ON i.id = r.incarnation
    LEFT JOIN event_rows AS e ON e.seq = r.get
    LEFT JOIN shapes AS s ON s.id = e.shape
    LEFT JOIN codes AS c ON c.id = s.code
    WHERE r.put IS NULL
      AND (:module IS NULL OR i.module = :module)
    GROUP BY i.module, c.text
  )
SELECT module, call_site, sum(gets) AS gets, sum(puts) AS puts, sum(held) AS held
FROM (SELECT * FROM sites UNION ALL SELECT * FROM open)
GROUP BY module, call_site
ORDER BY held DESC, gets + puts DESC, module, call_site;
