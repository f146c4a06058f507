-- The call sites that take and drop references most often.
-- :module  text, optional. Only references to this module.
-- :limit   integer, optional. At most so many; 20 unless said, -1 for all.
--
-- call_site   caller of the get or put, as printed
-- operations  gets and puts together
-- gets        references taken here
-- puts        references dropped here
-- modules     how many modules they were to
-- per_second  operations per second of capture; NULL where the clock does not tell time
SELECT
  c.text AS call_site,
  sum(s.events) AS operations,
  sum(iif(k.name = 'module_get', s.events, 0)) AS gets,
  sum(iif(k.name = 'module_put', s.events, 0)) AS puts,
  count(DISTINCT s.module) AS modules,
  round(sum(s.events) / span.seconds, 1) AS per_second
FROM shapes AS s
JOIN kinds AS k ON k.id = s.kind
JOIN codes AS c ON c.id = s.code
JOIN (
  SELECT iif(
    sum(clock IN ('ticks', 'none')) = 0 AND max(last_ns) > began,
    (max(last_ns) - began) / 1e9,
    NULL
  ) AS seconds
  -- Of what the store still holds.
  FROM inputs, (SELECT coalesce((SELECT ns FROM let_go), (SELECT min(first_ns) FROM inputs)) AS began)
) AS span
WHERE k.name IN ('module_get', 'module_put')
  AND (:module IS NULL OR s.module = :module)
GROUP BY c.text
ORDER BY operations DESC, c.text
LIMIT coalesce(:limit, 20);
