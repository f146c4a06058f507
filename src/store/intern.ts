import type Database from 'better-sqlite3';
import type { Code, Event } from '../model/event.ts';
import { eventCode, eventModule, eventName, type Interner } from './event-row.ts';
import { contextIds, kindIds } from './schema.ts';

/** How many different tasks, stacks … are remembered before the memory for them is used again. */
const REMEMBERED = 1 << 14;

interface StoredShape {
  readonly id: number;
  readonly kind: string;
  readonly context: string;
  events: number;
  /** So many of them are in the table. */
  written: number;
  readonly row: readonly unknown[];
}

export interface StoreInterner extends Interner {
  task(pid: number, comm: string): number;
  shape(event: Event): number;
  stack(frames: readonly string[]): number;
  family(text: string): number;
  /** Writes how often each shape was seen by now. */
  flush(): void;
  /** Forgets all that was written but families: the same once more is another row.
   *  @returns the last id of each table that is begun anew */
  renew(): LastIds;
}

export type LastIds = Readonly<Record<'tasks' | 'stacks' | 'codes' | 'objects' | 'shapes', number>>;

export function createInterner(db: Database.Database): StoreInterner {
  const objects = createTextInterner(db, 'objects');
  const families = createTextInterner(db, 'families');

  const insertTask = db.prepare('INSERT INTO tasks VALUES (?, ?, ?)');
  const tasks = new Map<number, Map<string, number>>();
  let taskCount = lastId(db, 'tasks');
  const task = (pid: number, comm: string) => {
    let ofPid = tasks.get(pid);
    const known = ofPid?.get(comm);
    if (known !== undefined) return known;
    const id = ++taskCount;
    if (id % REMEMBERED === 0) {
      tasks.clear();
      ofPid = undefined;
    }
    if (ofPid === undefined) tasks.set(pid, new Map([[comm, id]]));
    else ofPid.set(comm, id);
    insertTask.run(id, pid, comm);
    return id;
  };

  const insertStack = db.prepare('INSERT INTO stacks VALUES (?, ?)');
  const stacks = new Map<string, number>();
  let stackCount = lastId(db, 'stacks');
  const stack = (frames: readonly string[]) => {
    // Half the cost of JSON. With the length it is as unambiguous, as no frame with a newline is remembered.
    const joined = `${frames.length} ${frames.join('\n')}`;
    const known = stacks.get(joined);
    if (known !== undefined) return known;
    const id = ++stackCount;
    if (stacks.size === REMEMBERED) stacks.clear();
    if (!frames.some((frame) => frame.includes('\n'))) stacks.set(joined, id);
    insertStack.run(id, JSON.stringify(frames));
    return id;
  };

  const insertCode = db.prepare('INSERT INTO codes VALUES (?, ?, ?, ?, ?, ?, ?)');
  // By identity first, since a collector gives one object per spelling; by spelling for those that do not.
  const codes = new Map<Code, number>();
  const spellings = new Map<string, number>();
  let codeCount = lastId(db, 'codes');
  const code = (input: number, place: Code) => {
    const known = codes.get(place);
    if (known !== undefined) return known;
    const spelling = `${input} ${place.text}`;
    let id = spellings.get(spelling);
    if (id === undefined) {
      id = ++codeCount;
      if (spellings.size === REMEMBERED) spellings.clear();
      spellings.set(spelling, id);
      insertCode.run(
        id,
        input,
        place.text,
        place.symbol ?? null,
        place.module ?? null,
        place.offset ?? null,
        place.address ?? null,
      );
    }
    if (codes.size === REMEMBERED) codes.clear();
    codes.set(place, id);
    return id;
  };

  const insertShape = db.prepare('INSERT OR REPLACE INTO shapes VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
  let shapes: StoredShape[] = [];
  /** By input, then code, then a text that tells most shapes apart; a short list remains. */
  let index: Map<Code | undefined, Map<string, StoredShape[]>>[] = [];
  let shapeCount = lastId(db, 'shapes');
  const flush = () => {
    for (const shape of shapes) {
      if (shape.events !== shape.written) insertShape.run(...shape.row, shape.events);
      shape.written = shape.events;
    }
  };
  const shape = (event: Event) => {
    const place = eventCode(event);
    const label = labelOf(event);
    let list = index[event.input]?.get(place)?.get(label);
    if (list !== undefined) {
      for (const candidate of list) {
        if (candidate.kind === event.kind && candidate.context === event.context) {
          candidate.events++;
          return candidate.id;
        }
      }
    }
    if (shapes.length === REMEMBERED) {
      flush();
      shapes = [];
      index = [];
      list = undefined;
    }
    if (list === undefined) {
      list = [];
      index[event.input] ??= new Map();
      const byCode = index[event.input]!;
      const byLabel = byCode.get(place);
      if (byLabel === undefined) byCode.set(place, new Map([[label, list]]));
      else byLabel.set(label, list);
    }
    const id = ++shapeCount;
    const added: StoredShape = {
      id,
      kind: event.kind,
      context: event.context,
      events: 1,
      written: 0,
      row: [
        id,
        event.input,
        kindIds[event.kind],
        contextIds[event.context],
        eventModule(event),
        place === undefined ? null : code(event.input, place),
        eventName(event),
      ],
    };
    list.push(added);
    shapes.push(added);
    return id;
  };

  const renew = () => {
    flush();
    for (const known of [tasks, stacks, codes, spellings]) known.clear();
    objects.clear();
    shapes = [];
    index = [];
    return {
      tasks: taskCount,
      stacks: stackCount,
      codes: codeCount,
      objects: objects.lastId,
      shapes: shapeCount,
    };
  };

  return { task, code, object: objects.id, shape, stack, family: families.id, flush, renew };
}

/** Equal for all events of one kind and code that may share a shape. */
function labelOf(event: Event): string {
  if (event.kind === 'module_get' || event.kind === 'module_put') return event.module;
  const name = eventName(event);
  const module = eventModule(event);
  if (module === null) return name ?? event.kind;
  return `${module.length} ${module} ${name}`;
}

interface TextInterner {
  id(text: string): number;
  readonly lastId: number;
  clear(): void;
}

function createTextInterner(db: Database.Database, table: string): TextInterner {
  const statement = db.prepare(`INSERT INTO ${table} VALUES (?, ?)`);
  const ids = new Map<string, number>();
  let count = lastId(db, table);
  return {
    id(text) {
      const known = ids.get(text);
      if (known !== undefined) return known;
      if (ids.size === REMEMBERED) ids.clear();
      ids.set(text, ++count);
      statement.run(count, text);
      return count;
    },
    get lastId() {
      return count;
    },
    clear: () => ids.clear(),
  };
}

function lastId(db: Database.Database, table: string): number {
  return db.prepare(`SELECT coalesce(max(id), 0) FROM ${table}`).pluck().get() as number;
}
