import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { manifestSchema } from '../model/manifest.ts';
import { analyze } from '../pipeline/analyze.ts';
import { readManifest } from '../pipeline/capture-directory.ts';
import { type FakeKernel, fakeKernel, TRACEFS } from '../testing/fake-kernel.ts';
import { holdDirectory } from './held-directory.ts';
import { cleanUp } from './instance.ts';
import { makePlan } from './plan.ts';
import { type RecordOptions, record } from './record.ts';
import { survey } from './survey.ts';
import { openTracefs } from './tracefs.ts';

let kernel: FakeKernel;
let folder: string;
beforeEach(() => {
  kernel = fakeKernel('6.1');
  folder = mkdtempSync(join(tmpdir(), 'modlife-test-capture-'));
});
afterEach(() => {
  kernel.remove();
  rmSync(folder, { recursive: true });
});

function recording(modules: readonly string[], options: Partial<RecordOptions>) {
  const found = survey(kernel);
  const plan = makePlan(found, modules);
  return record(kernel, found, plan, {
    directory: join(folder, 'run'),
    backend: 'tracefs',
    open: () => openTracefs(kernel, found, plan, process.pid),
    version: '0',
    ...options,
  });
}

function probes(): string[] {
  return (kernel.read(`${TRACEFS}/kprobe_events`) ?? '').split('\n').filter((line) => line !== '');
}

const LOADED = `          insmod-173     [001] .....    16.936930: module_load: ml_getleak OE
CPU:1 [LOST 40 EVENTS]
          insmod-173     [001] ...1.    16.938339: module_put: ml_getleak call_site=do_init_module refcnt=1
`;

describe('a recording', () => {
  test('writes the stream, and a manifest that says what it was', async () => {
    kernel.inInstances('trace_pipe', LOADED);
    const { manifest, left } = await recording([], { command: ['sh', '-c', 'exit 3'] });
    expect(left).toBeUndefined();
    expect(readFileSync(join(folder, 'run/trace.txt'), 'latin1')).toBe(LOADED);
    const written = await readManifest(join(folder, 'run'));
    expect(written).toEqual(manifest);
    expect(manifestSchema.parse(manifest)).toMatchObject({
      state: 'complete',
      kernel: { release: expect.stringMatching(/^6\.1\./), cpus: 2 },
      clock: 'mono',
      command: { argv: ['sh', '-c', 'exit 3'], status: 3, signal: null },
      streams: ['trace.txt'],
    });
    expect(manifest.end).toBeGreaterThan(manifest.begin);
    expect(readdirSync(join(folder, 'run'))).toEqual(
      expect.arrayContaining(['modules-before.txt', 'modules-after.txt', 'symbols']),
    );
  });

  test('takes its instance and its probes away again, and nobody else’s', async () => {
    kernel.put(`${TRACEFS}/kprobe_events`, 'p:mine/foo vfree\n');
    await recording([], { command: ['true'] });
    expect(kernel.list(`${TRACEFS}/instances`)).toEqual([]);
    const lines = probes();
    const defined = lines.map((line) => /^[pr]\d*:(modlife_\d+\/\w+) /.exec(line)?.[1]).filter(Boolean);
    expect(defined.length).toBeGreaterThan(20);
    expect(lines.filter((line) => line.startsWith('-:'))).toEqual(defined.map((own) => `-:${own}`));
  });

  test('leaves nothing behind when the command cannot be started', async () => {
    await expect(recording([], { command: ['/no/such/program'] })).rejects.toThrow(
      '/no/such/program: cannot be started: no such program',
    );
    expect(kernel.list(`${TRACEFS}/instances`)).toEqual([]);
    expect((await readManifest(join(folder, 'run')))?.state).toBe('failed');
  });

  test('for somebody who watches it ends when told to, and writes nothing', async () => {
    kernel.inInstances('trace_pipe', LOADED);
    let seen = '';
    let stop: () => void = () => {};
    const until = new Promise<void>((resolve) => {
      stop = resolve;
    });
    const { manifest } = await recording([], {
      directory: undefined,
      until,
      onText(text) {
        seen += text.toString('latin1');
        stop();
      },
    });
    expect(seen).toBe(LOADED);
    expect(manifest.state).toBe('complete');
    expect(kernel.list(`${TRACEFS}/instances`)).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('of which only what came last is held is written as a capture when asked to', async () => {
    kernel.inInstances('trace_pipe', LOADED);
    const held = holdDirectory(60);
    const path = join(folder, 'kept');
    await recording(['ml_getleak'], {
      directory: held,
      seconds: 0.3,
      onReady: (refresh) =>
        setTimeout(() => {
          refresh();
          held.save(path, [Buffer.from(LOADED)]);
        }, 200),
    });
    expect(readdirSync(folder)).toEqual(['kept']);
    const manifest = await readManifest(path);
    expect(manifest).toMatchObject({ state: 'recording', streams: ['trace.txt'], kernel: { cpus: 2 } });
    expect(readFileSync(join(path, 'trace.txt'), 'latin1')).toBe(LOADED);
    for (const name of manifest!.symbols)
      expect(readFileSync(join(path, name), 'latin1')).toMatch(/^# modlife kallsyms; module=ml_getleak;/);
    expect(manifest!.symbols).toHaveLength(1);
    const { inputs, modules } = (await analyze([path])).report;
    expect(inputs[0]).toMatchObject({ capture: path, events: 2 });
    expect(modules.map(({ module }) => module)).toEqual(['ml_getleak']);
  });

  test("gives the kernel's log as it comes, and nothing from before", async () => {
    kernel.put('/dev/kmsg', '6,1,1000,-;before\n');
    let said = '';
    const { manifest } = await recording([], {
      seconds: 0.5,
      onReady: () => appendFileSync(kernel.locate('/dev/kmsg'), '4,2,2000,-;WARNING: CPU: 1\n'),
      onLog: (text) => {
        said += text.toString('latin1');
      },
    });
    expect(said).toBe('4,2,2000,-;WARNING: CPU: 1\n');
    expect(readFileSync(join(folder, 'run', manifest.kernelLog!), 'latin1')).toBe(said);
  });

  test('ends when its time is over', async () => {
    const { manifest } = await recording([], { seconds: 0.2 });
    expect(manifest.command).toBeNull();
    expect(manifest.end! - manifest.begin).toBeGreaterThan(0.15e9);
  });

  test('ends a command whose time is over', async () => {
    const { manifest } = await recording([], { seconds: 0.2, command: ['sleep', '60'] });
    expect(manifest.command).toMatchObject({ status: null, signal: 'SIGTERM' });
  });

  test('says so when somebody else switches it off, and keeps what came before', async () => {
    kernel.inInstances('trace_pipe', LOADED);
    // What the kernel reads as off, whatever is written to it.
    const off = {
      ...kernel,
      read: (path: string) => (path.endsWith('/tracing_on') ? '0\n' : kernel.read(path)),
    };
    const plan = makePlan(survey(kernel), []);
    const open = () => openTracefs(off, survey(kernel), plan, process.pid);
    const options = {
      directory: join(folder, 'run'),
      backend: 'tracefs',
      open,
      version: '0',
      seconds: 9,
    } as const;
    await expect(record(off, survey(kernel), plan, options)).rejects.toThrow(
      /^somebody else switched .* off$/,
    );
    expect((await readManifest(join(folder, 'run')))?.state).toBe('failed');
    expect(readFileSync(join(folder, 'run/trace.txt'), 'latin1')).toBe(LOADED);
  });

  test('refuses a folder that holds something, before it touches the kernel', async () => {
    mkdirSync(join(folder, 'run'));
    writeFileSync(join(folder, 'run/notes'), '');
    await expect(recording([], { command: ['true'] })).rejects.toThrow('is not empty');
    expect(probes()).toEqual([]);
  });

  test('probes a watched module as it comes, and saves its symbols', async () => {
    kernel.inInstances('trace_pipe', LOADED);
    const { manifest } = await recording(['ml_getleak'], { command: ['true'] });
    expect(probes()).toContainEqual(
      expect.stringMatching(/^p:modlife_\d+\/enter10_ml_getleak_ml_getleak_open ml_getleak:ml_getleak_open$/),
    );
    expect(probes()).toContainEqual(
      expect.stringMatching(
        /^r128:modlife_\d+\/leave10_ml_getleak_ml_getleak_open ml_getleak:ml_getleak_open ret=/,
      ),
    );
    expect(manifest.notProbed).toContainEqual({
      what: 'ml_getleak:ml_getleak_exit()',
      because: 'ftrace cannot see it: __init, __exit, notrace or too small',
    });
    const [first] = manifest.symbols;
    expect(readFileSync(join(folder, 'run', first!), 'latin1')).toMatch(
      /^# modlife kallsyms; module=ml_getleak; reason=load; clock=mono; since=16\.936930; taken=\d+\.\d{6}\n# section \.text 0x[0-9a-f]{16}\n[0-9a-f]{16} \w \w+\t\[ml_getleak\]\n/,
    );
  });

  test('says so when a watched module never came', async () => {
    const { manifest } = await recording(['mydrv'], { command: ['true'] });
    expect(manifest.notProbed).toContainEqual({
      what: 'the functions of mydrv',
      because: 'it was not loaded',
    });
  });

  test('counts what the kernel lost, and of that what the stream tells', async () => {
    kernel.inInstances('trace_pipe', LOADED);
    kernel.inInstances(
      'per_cpu/cpu1/stats',
      'entries: 9\noverrun: 40\ncommit overrun: 0\ndropped events: 2\n',
    );
    const { manifest } = await recording([], { command: ['true'] });
    expect(manifest.lost).toEqual([{ cpu: 1, lost: 42, told: 40 }]);
  });

  test('counts the calls that its probes missed, not those of others', async () => {
    kernel.put(
      `${TRACEFS}/kprobe_profile`,
      '  free_module          12      3\n  somebody_elses       9      9\n',
    );
    const { manifest } = await recording([], { command: ['true'] });
    expect(manifest.missed).toEqual([{ name: 'free_module', times: 3 }]);
  });
});

describe('cleaning up', () => {
  test('removes what the dead left, and leaves the living alone', () => {
    for (const name of ['modlife-11', 'modlife-12', 'other']) {
      mkdirSync(kernel.locate(`${TRACEFS}/instances/${name}`));
    }
    kernel.put(
      `${TRACEFS}/kprobe_events`,
      'p:modlife_11/vfree vfree\nr128:modlife_12/vfree__return vfree\np:other/vfree vfree\n',
    );
    expect(cleanUp(kernel, TRACEFS, (pid) => pid === 12)).toEqual([
      { what: 'instances/modlife-11', because: undefined },
      { what: 'the probes of modlife_11', because: undefined },
    ]);
    expect(kernel.list(`${TRACEFS}/instances`)).toEqual(['modlife-12', 'other']);
    expect(probes().filter((line) => line.startsWith('-:'))).toEqual(['-:modlife_11/vfree']);
    expect(existsSync(kernel.locate(`${TRACEFS}/instances/modlife-11`))).toBe(false);
  });
});
