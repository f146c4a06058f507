-- The findings, worst first.
-- :module    text, optional. Only about this module.
-- :rule      text, optional. Only of this rule.
-- :severity  text, optional. Only error, warning or note.
--
-- severity     error, warning or note
-- certainty    observed, predicted or possible
-- rule         what `modlife explain` tells the story of
-- module       module it is about
-- incarnation  which load of it, 1 for the first seen
-- title        the finding in one line
-- culprit      function that did it; NULL: not known
-- comm         task that did it; NULL: not known
-- ns           when, on the capture's clock
-- input        path of the capture
-- line         1-based line of that capture
-- fingerprint  the same in every run that finds it
SELECT
  f.severity AS severity,
  f.certainty AS certainty,
  f.rule AS rule,
  f.module AS module,
  f.json ->> '$.incarnation' AS incarnation,
  f.json ->> '$.title' AS title,
  f.json ->> '$.culprit.symbol' AS culprit,
  f.json ->> '$.culprit.task.comm' AS comm,
  f.json ->> '$.at.ns' AS ns,
  i.path AS input,
  f.json ->> '$.at.line' AS line,
  f.fingerprint AS fingerprint
FROM findings AS f
LEFT JOIN inputs AS i ON i.id = f.json ->> '$.at.input'
WHERE (:module IS NULL OR f.module = :module)
  AND (:rule IS NULL OR f.rule = :rule)
  AND (:severity IS NULL OR f.severity = :severity)
ORDER BY
  CASE f.severity WHEN 'error' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END,
  f.id;
