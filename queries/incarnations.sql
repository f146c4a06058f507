-- Each load of a module, from load to free, in order of appearance.
-- :module  text, optional. Only this module.
--
-- module      name
-- nth         1 for the first load seen of that name
-- state       at the end: unformed, coming, live, going or freed
-- outcome     how that life went
-- load_ns     when it was loaded, ns on the capture's clock; NULL: before the capture
-- going_ns    when its unload began, ns; NULL: not seen
-- free_ns     when its text was freed, ns; NULL: not seen
-- first_ns    its first event, ns
-- last_ns     its last event, ns
-- gets        references taken
-- puts        references given back; one gives back what the loader took without an event, so that gets less puts is
--             not held
-- held        references still out at its end
-- max_refcnt  largest refcnt printed, base included; NULL: none was printed
-- base_known  1 when its count at the first event is known, 0 when older references may exist
SELECT
  i.module AS module,
  i.nth AS nth,
  i.state AS state,
  i.outcome AS outcome,
  loaded.ts AS load_ns,
  going.ts AS going_ns,
  freed.ts AS free_ns,
  first.ts AS first_ns,
  last.ts AS last_ns,
  i.gets AS gets,
  i.puts AS puts,
  i.held AS held,
  i.max_refcnt AS max_refcnt,
  i.base_known AS base_known
FROM incarnations AS i
LEFT JOIN event_rows AS loaded ON loaded.seq = i.load
LEFT JOIN event_rows AS going ON going.seq = i.going
LEFT JOIN event_rows AS freed ON freed.seq = i.free
LEFT JOIN event_rows AS first ON first.seq = i.first
LEFT JOIN event_rows AS last ON last.seq = i.last
WHERE :module IS NULL OR i.module = :module
ORDER BY i.first, i.id;
