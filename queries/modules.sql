-- Every module the capture mentions, and what became of its references.
-- :module  text, optional. Only this module.
--
-- module        name
-- incarnations  loads seen
-- state         at the end: unformed, coming, live, going or freed
-- gets          references taken, over all incarnations
-- puts          references given back; one of each load gives back what the loader took without an event, so that
--               gets less puts is not held
-- held          references still out at the end, as far as they were seen
-- max_refcnt    largest refcnt printed, base included (one more than lsmod shows); NULL: none was printed
SELECT module, incarnations, state, gets, puts, held, max_refcnt
FROM modules
WHERE :module IS NULL OR module = :module
ORDER BY held DESC, gets + puts DESC, module;
