import type { EventKind, ExecContext } from '../model/event.ts';

/** "mlif" in the file's header: what makes a SQLite file ours. `file` and `isStore` read it without SQLite. */
export const APPLICATION_ID = 0x6d6c6966;

/** Kept in user_version. Raise it with any change below or in event-row.ts: stores are rebuilt, never migrated. */
export const SCHEMA_VERSION = 6;

/** Numbers stand in files: add, never renumber. */
export const kindIds: Readonly<Record<EventKind, number>> = {
  module_load: 1,
  module_free: 2,
  module_get: 3,
  module_put: 4,
  module_request: 5,
  function_entry: 6,
  function_return: 7,
  syscall_enter: 8,
  syscall_exit: 9,
  kernel_fault: 10,
  hung_task: 11,
  module_text: 12,
  timer_start: 20,
  timer_cancel: 21,
  timer_expire_entry: 22,
  timer_expire_exit: 23,
  hrtimer_start: 24,
  hrtimer_cancel: 25,
  hrtimer_expire_entry: 26,
  hrtimer_expire_exit: 27,
  workqueue_queue_work: 30,
  workqueue_execute_start: 31,
  workqueue_execute_end: 32,
  sched_kthread_work_queue_work: 50,
  sched_kthread_work_execute_start: 51,
  sched_kthread_work_execute_end: 52,
  rcu_callback: 35,
  rcu_invoke_callback: 36,
  sched_waking: 40,
  sched_wakeup: 41,
  sched_process_exit: 42,
  sched_process_exec: 43,
  sched_kthread_stop: 44,
  sched_kthread_stop_ret: 45,
};

export const contextIds: Readonly<Record<ExecContext, number>> = {
  unknown: 0,
  task: 1,
  softirq: 2,
  hardirq: 3,
  nmi: 4,
};

/**
 * An event row is nine small integers, because binding a value costs more than storing it. Whatever repeats is
 * kept once: who (tasks), and everything about the event that does not change from one occurrence to the next
 * (shapes), which also counts the occurrences, so that totals need no walk over the events.
 *
 * Rows of tasks, codes, stacks, objects, families and shapes may repeat, since the writer forgets the oldest
 * when there are very many: group by what they say, not by id.
 */
export const SCHEMA = `
CREATE TABLE kinds (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
CREATE TABLE contexts (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;

CREATE TABLE inputs (
  id INTEGER PRIMARY KEY,    -- index into the findings document's inputs
  path TEXT NOT NULL,
  format TEXT NOT NULL,
  kernel TEXT,
  clock TEXT NOT NULL,
  lines INTEGER NOT NULL,
  events INTEGER NOT NULL,
  skipped INTEGER NOT NULL,
  bad INTEGER NOT NULL,
  lost INTEGER NOT NULL,
  first_ns INTEGER,
  last_ns INTEGER,
  cpus INTEGER,
  end_ns INTEGER,            -- of the last record of any kind
  reading TEXT               -- JSON: what had to be done before it could be read
) STRICT;

CREATE TABLE losses (
  input INTEGER NOT NULL REFERENCES inputs,
  line INTEGER NOT NULL,
  place TEXT NOT NULL,       -- before | anywhere | head | end
  count INTEGER,             -- NULL: the tracer does not say how many
  cpu INTEGER,
  after INTEGER NOT NULL,    -- seq of the event before it, 0 for none
  ns INTEGER                 -- and its time
) STRICT;

CREATE TABLE bad_lines (
  input INTEGER NOT NULL REFERENCES inputs,
  line INTEGER NOT NULL,
  at_column INTEGER NOT NULL,
  message TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT;

CREATE TABLE tasks (id INTEGER PRIMARY KEY, pid INTEGER NOT NULL, comm TEXT NOT NULL) STRICT;
CREATE TABLE codes (
  id INTEGER PRIMARY KEY,
  input INTEGER NOT NULL REFERENCES inputs,
  text TEXT NOT NULL,        -- as printed
  symbol TEXT,
  module TEXT,
  offset INTEGER,
  address TEXT
) STRICT;
CREATE TABLE stacks (id INTEGER PRIMARY KEY, frames TEXT NOT NULL) STRICT;   -- JSON array, innermost first
CREATE TABLE objects (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;    -- addresses of timers, works, rcu_heads

CREATE TABLE shapes (
  id INTEGER PRIMARY KEY,
  input INTEGER NOT NULL REFERENCES inputs,
  kind INTEGER NOT NULL REFERENCES kinds,
  context INTEGER NOT NULL REFERENCES contexts,
  module TEXT,
  code INTEGER REFERENCES codes,   -- call site, function or faulting place
  name TEXT,                       -- probe, syscall, taints, alias, oops | warn
  events INTEGER NOT NULL          -- how many event_rows have this shape
) STRICT;

CREATE TABLE event_rows (
  seq INTEGER PRIMARY KEY,
  ts INTEGER NOT NULL,
  line INTEGER NOT NULL,
  cpu INTEGER NOT NULL,
  task INTEGER NOT NULL REFERENCES tasks,
  shape INTEGER NOT NULL REFERENCES shapes,
  value INTEGER,             -- by kind, see the view events
  stack INTEGER REFERENCES stacks,
  detail TEXT                -- JSON: arguments of a probe, text of a fault
) STRICT;

CREATE VIEW events AS
SELECT
  e.seq AS seq,
  e.ts AS ns,
  s.input AS input,
  e.line AS line,
  k.name AS kind,
  coalesce(s.module, c.module) AS module,
  iif(k.name IN ('module_get', 'module_put', 'module_request'), c.text, NULL) AS call_site,
  iif(k.name IN ('module_get', 'module_put', 'module_request'), NULL, c.text) AS fn,
  c.module AS code_module,
  s.name AS name,
  iif(k.name IN ('module_get', 'module_put'), e.value, NULL) AS refcnt,
  iif(k.name GLOB 'sched_*' AND k.name NOT GLOB 'sched_kthread_work_*', e.value, NULL) AS target,
  iif(k.name = 'syscall_exit', e.value, NULL) AS ret,
  iif(k.name = 'syscall_enter', e.value, NULL) AS flags,
  iif(k.name = 'module_request', e.value, NULL) AS wait,
  iif(k.name = 'function_return', (SELECT text FROM codes WHERE id = e.value), NULL) AS caller,
  iif(k.name GLOB '*timer_*' OR k.name GLOB 'workqueue_*' OR k.name GLOB 'sched_kthread_work_*' OR k.name GLOB 'rcu_*',
      (SELECT text FROM objects WHERE id = e.value), NULL) AS object,
  t.comm AS comm,
  t.pid AS pid,
  e.cpu AS cpu,
  x.name AS context,
  e.detail AS detail,
  st.frames AS stack
FROM event_rows AS e
LEFT JOIN shapes AS s ON s.id = e.shape
LEFT JOIN kinds AS k ON k.id = s.kind
LEFT JOIN contexts AS x ON x.id = s.context
LEFT JOIN codes AS c ON c.id = s.code
LEFT JOIN tasks AS t ON t.id = e.task
LEFT JOIN stacks AS st ON st.id = e.stack;

CREATE TABLE incarnations (
  id INTEGER PRIMARY KEY,
  module TEXT NOT NULL,
  nth INTEGER NOT NULL,      -- 1 for the first load seen of that name
  state TEXT NOT NULL,
  load INTEGER REFERENCES event_rows,
  going INTEGER REFERENCES event_rows,
  free INTEGER REFERENCES event_rows,
  first INTEGER NOT NULL REFERENCES event_rows,
  last INTEGER NOT NULL REFERENCES event_rows,
  outcome TEXT NOT NULL,
  base_known INTEGER NOT NULL,
  gets INTEGER NOT NULL,
  puts INTEGER NOT NULL,
  held INTEGER NOT NULL,
  max_refcnt INTEGER,
  remembered INTEGER NOT NULL   -- 0: freed so long ago that the ledger let go of it
) STRICT;

CREATE TABLE families (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
CREATE TABLE hard_refs (
  incarnation INTEGER NOT NULL REFERENCES incarnations,
  get INTEGER REFERENCES event_rows,   -- NULL: taken without an event
  put INTEGER REFERENCES event_rows,   -- NULL: never given back
  family INTEGER NOT NULL REFERENCES families,
  ambiguous INTEGER NOT NULL
) STRICT;

-- How things stand at the end, beyond what the rows before tell: enough to say who holds a module, and why, without
-- a walk over its events.
CREATE TABLE standings (
  module TEXT PRIMARY KEY,
  incarnation INTEGER NOT NULL REFERENCES incarnations,   -- the one that lives, or the last that did
  known INTEGER NOT NULL,
  doubt TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE places (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,        -- of the function that took references of one incarnation
  symbol TEXT,
  puts INTEGER NOT NULL,     -- of these references
  same_task INTEGER NOT NULL,
  longest_hold INTEGER NOT NULL
) STRICT;

CREATE TABLE open_refs (
  incarnation INTEGER NOT NULL REFERENCES incarnations,
  get INTEGER NOT NULL REFERENCES event_rows,
  family INTEGER NOT NULL REFERENCES families,
  place INTEGER NOT NULL REFERENCES places,
  within TEXT,
  missed_by TEXT,
  dependent TEXT,
  PRIMARY KEY (incarnation, get)
) STRICT, WITHOUT ROWID;

CREATE TABLE modules (
  module TEXT NOT NULL,
  incarnations INTEGER NOT NULL,
  gets INTEGER NOT NULL,
  puts INTEGER NOT NULL,
  held INTEGER NOT NULL,
  max_refcnt INTEGER,
  state TEXT NOT NULL
) STRICT;

CREATE TABLE passes (rule TEXT NOT NULL, ran INTEGER NOT NULL, because TEXT) STRICT;
CREATE TABLE findings (
  id INTEGER PRIMARY KEY,
  rule TEXT NOT NULL,
  severity TEXT NOT NULL,
  certainty TEXT NOT NULL,
  module TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  at_end INTEGER NOT NULL,   -- 1: so only because the capture ended
  json TEXT NOT NULL
) STRICT;
CREATE TABLE report (json TEXT NOT NULL) STRICT;   -- the findings document, its findings left out

CREATE TABLE followed (      -- where tail stood when it wrote last; empty in a store of anybody else
  source TEXT NOT NULL,      -- its name
  bytes INTEGER,             -- read of a file; NULL: no file, and nothing can be read again
  digest TEXT,               -- of the last of them
  line INTEGER NOT NULL,     -- all events up to it are stored but those held: lines of the last input
  held TEXT NOT NULL         -- JSON: the line and kind of each
) STRICT;

-- tail --retain: what was in the store once. Of the events up to seq only those are left that other rows refer to.
CREATE TABLE let_go (
  seq INTEGER NOT NULL,
  ns INTEGER NOT NULL,       -- when that was
  events INTEGER NOT NULL    -- how many are gone
) STRICT;
CREATE TABLE let_go_refs (   -- how many of them took and dropped references
  module TEXT PRIMARY KEY,
  gets INTEGER NOT NULL,
  puts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;

/** Built after the load, when a whole table is sorted once. Events have none beyond seq: a walk over a million
 *  takes less than a tenth of a second, an index over them would add a third to the cost of every load. */
export const INDEXES = `
CREATE INDEX incarnations_by_module ON incarnations (module, nth);
`;
