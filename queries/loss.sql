-- Where the tracer lost events, and what it says about how many.
--
-- input  path of the capture
-- line   1-based line of that capture at which it was noticed
-- place  before: since the record before that line; head: the oldest were overwritten; anywhere: not placed
-- cpu    CPU that lost them; NULL: not said
-- count  how many; NULL: not said
-- ns     time of the event before it, on the capture's clock; NULL: none came before
SELECT i.path AS input, l.line AS line, l.place AS place, l.cpu AS cpu, l.count AS count, l.ns AS ns
FROM losses AS l
LEFT JOIN inputs AS i ON i.id = l.input
ORDER BY l.input, l.line, l.rowid;
