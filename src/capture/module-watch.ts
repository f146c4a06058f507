/** Modules as they come: their functions are probed, their symbols saved. */
import { setImmediate } from 'node:timers/promises';
import type { Manifest, Plan } from '../model/manifest.ts';
import { describeTypes, readSection } from './btf.ts';
import type { CaptureDirectory } from './directory.ts';
import type { Kernel } from './kernel.ts';
import { planModuleProbes } from './plan.ts';
import type { Session } from './session.ts';
import { functionsIn, moduleNames, type Survey } from './survey.ts';
import { renderSnapshot, type Snapshot, secondsOf, symbolsByModule } from './symbols.ts';

export interface ModuleWatch {
  /** Those that are there already; resolves when they are probed and their symbols saved. */
  begin(): Promise<void>;
  /** Text of the stream: what is loaded, and what the kernel says it lost. */
  read(text: Buffer): void;
  end(): Promise<void>;
  readonly files: readonly string[];
  readonly notProbed: Manifest['notProbed'];
  /** Per CPU, events that the stream itself says are missing. */
  readonly told: ReadonlyMap<number, number>;
}

/** So long after a load init() is mostly over, and its own symbols are gone. */
const SETTLED_MS = 100;

//                    +- comm, pid, cpu, flags
//                    |         +- time
const LOADED = /^.{16}-\d.{0,40} (\d+\.\d{6}): module_load: (\w+) /;
/** Our bpftrace program, as text or in JSON. */
const LOADED_BPF = /\bmodlife1 (\d+) [^"]* load taints=\w+ name=(\w+) /;
const LOST = /^CPU:(\d+) \[LOST (?:(\d+) )?EVENTS\]$/;

export function watchModules(
  kernel: Kernel,
  { tracefs, types, kprobes }: Pick<Survey, 'tracefs' | 'types' | 'kprobes'>,
  plan: Plan,
  session: Pick<Session, 'probe' | 'traceable'>,
  directory: Pick<CaptureDirectory, 'put'>,
): ModuleWatch {
  const watched = new Set(plan.watched);
  /** The latest load of each module, as the stream prints its time; undefined: before the recording. */
  const seen = new Map<string, string | undefined>();
  /** Modules whose present load has a snapshot. */
  const saved = new Set<string>();
  const defined = new Set(plan.probes.map(({ name }) => name));
  const files: string[] = [];
  const notProbed: { what: string; because: string }[] = [];
  const told = new Map<number, number>();
  let partial = '';
  let waiting = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let saving = Promise.resolve();
  let probing = Promise.resolve();
  let ended = false;

  const isWanted = (module: string) => watched.size === 0 || watched.has(module);

  /** One module after the other; each probe takes the kernel a while, and what happens meanwhile is to be read. */
  function probe(modules: readonly string[]): void {
    probing = probing.then(() => setProbes(modules));
    probing.catch(() => {});
  }

  async function setProbes(modules: readonly string[]): Promise<void> {
    if (!kprobes) return;
    const found = modules.filter((module) => watched.has(module) || typesOf(module) !== undefined);
    if (found.length === 0) return;
    let all: string | undefined;
    for (const module of found) {
      let traceable = session.traceable(module);
      if (traceable === undefined) {
        all ??= kernel.read(`${tracefs}/available_filter_functions`) ?? '';
        traceable = functionsIn(all, module);
      }
      const own = typesOf(module);
      const probes = planModuleProbes(
        module,
        traceable,
        own === undefined ? undefined : describeTypes(own, types).functions(),
        watched.has(module),
        defined.size,
      ).filter(({ name }) => !defined.has(name));
      for (const planned of probes) {
        if (ended) return;
        // What could not be set may be when the module comes again.
        for (const set of session.probe([planned])) {
          defined.add(set.name);
          plan.probes.push(set);
        }
        await setImmediate();
      }
    }
  }

  function typesOf(module: string) {
    const bytes = types === undefined ? undefined : kernel.bytes(`/sys/kernel/btf/${module}`);
    return bytes === undefined ? undefined : readSection(bytes);
  }

  async function snapshot(modules: Iterable<string>, reason: Snapshot['reason']): Promise<void> {
    const wanted = [...modules].filter((module) => isWanted(module) && !saved.has(module));
    if (wanted.length === 0) return;
    const loads = new Map(seen);
    // Reading takes a while, and what it says held from before it.
    const taken = Number(process.hrtime.bigint());
    const symbols = symbolsByModule((await kernel.readLater('/proc/kallsyms')) ?? '');
    for (const module of wanted) {
      const lines = symbols.get(module);
      const since = loads.get(module);
      // Loaded again meanwhile: nobody can say which of the two was read.
      if (lines === undefined || since !== seen.get(module)) continue;
      saved.add(module);
      const file = `symbols/${files.length + 1}-${module}.kallsyms`;
      directory.put(file, renderSnapshot(kernel, { module, reason, since, clock: plan.clock, taken }, lines));
      files.push(file);
      if (watched.has(module)) noteUntraceable(module, lines);
    }
  }

  /** Functions of a watched module that no probe was set on, the kernel's refusals apart. */
  function noteUntraceable(module: string, lines: readonly string[]): void {
    const probed = new Set(plan.probes.filter((own) => own.module === module).map(({ fn }) => fn));
    for (const line of lines) {
      const [, type = '', fn = ''] = line.split(/\s+/);
      const what = `${module}:${fn}()`;
      if (!/^[tT]$/.test(type) || probed.has(fn) || /^(__pfx_|\.|\$)/.test(fn)) continue;
      if (notProbed.some((other) => other.what === what)) continue;
      notProbed.push({ what, because: 'ftrace cannot see it: __init, __exit, notrace or too small' });
    }
  }

  function loaded(module: string, at: string): void {
    const isNew = !seen.has(module);
    seen.set(module, at);
    saved.delete(module);
    // Probes outlive their module, and the kernel sets them again when it comes back.
    if (isNew || watched.has(module)) probe([module]);
    waiting.add(module);
    timer ??= setTimeout(settle, SETTLED_MS);
  }

  function settle(): void {
    timer = undefined;
    const modules = waiting;
    waiting = new Set();
    save(modules, 'load');
  }

  /** One after the other. */
  function save(modules: Iterable<string>, reason: Snapshot['reason']): void {
    saving = saving.then(() => snapshot(modules, reason));
    // Told when it is waited for.
    saving.catch(() => {});
  }

  return {
    files,
    notProbed,
    told,
    async begin() {
      const modules = moduleNames(kernel.read('/proc/modules') ?? '');
      for (const module of modules) seen.set(module, undefined);
      probe(modules);
      // What others do is named as it happens.
      save(
        modules.filter((module) => watched.has(module)),
        'begin',
      );
      // The command may take them away.
      await Promise.all([probing, saving]);
    },
    read(text) {
      const lines = (partial + text.toString('latin1')).split('\n');
      partial = lines.pop()!;
      for (const line of lines) {
        if (line.startsWith('CPU:')) {
          const [, cpu, count] = LOST.exec(line) ?? [];
          if (cpu !== undefined) told.set(Number(cpu), (told.get(Number(cpu)) ?? 0) + Number(count ?? 0));
        } else if (line.includes(': module_load: ')) {
          const [, time, module] = LOADED.exec(line) ?? [];
          if (module !== undefined) loaded(module, time!);
        } else if (line.includes(' load taints=')) {
          const [, ns, module] = LOADED_BPF.exec(line) ?? [];
          if (module !== undefined) loaded(module, secondsOf(Number(ns)));
        }
      }
    },
    async end() {
      ended = true;
      clearTimeout(timer);
      await probing;
      settle();
      // Those that were too short to be caught when they came.
      save(
        [...seen].filter(([, since]) => since !== undefined).map(([module]) => module),
        'end',
      );
      await saving;
      for (const module of watched) {
        if (!seen.has(module))
          notProbed.push({ what: `the functions of ${module}`, because: 'it was not loaded' });
      }
    },
  };
}
