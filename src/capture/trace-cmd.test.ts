import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { analyze } from '../pipeline/analyze.ts';
import { readManifest } from '../pipeline/capture-directory.ts';
import { type FakeKernel, fakeKernel, TRACEFS } from '../testing/fake-kernel.ts';
import { makePlan } from './plan.ts';
import { record } from './record.ts';
import { survey } from './survey.ts';
import { openTraceCmd } from './trace-cmd.ts';

let kernel: FakeKernel;
let folder: string;
beforeEach(() => {
  kernel = fakeKernel('6.1');
  folder = mkdtempSync(join(tmpdir(), 'modlife-test-capture-'));
  copyFileSync('samples/trace-dat/3.1.6-v7-zstd.dat', join(folder, 'sample.dat'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  kernel.remove();
  rmSync(folder, { recursive: true });
});

/** In place of trace-cmd; $command is what it is to run. */
function traceCmd(script: string): void {
  const path = join(folder, 'trace-cmd');
  writeFileSync(path, `#!/bin/sh\necho "$*" > ${folder}/arguments\nfor command; do :; done\n${script}\n`);
  chmodSync(path, 0o755);
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
}

const RECORDS = `touch trace.dat.modlife.cpu0
sh -c "$command"
mv ../sample.dat trace.dat; rm trace.dat.modlife.cpu0`;

function recording(command?: readonly string[]) {
  const found = survey(kernel);
  const plan = makePlan(found, ['ml_getleak']);
  const directory = join(folder, 'run');
  return record(kernel, found, plan, {
    directory,
    backend: 'trace-cmd',
    open: () => openTraceCmd(kernel, found, plan, process.pid, directory),
    version: '0',
    ...(command === undefined ? { seconds: 5 } : { command }),
  });
}

const LOADED = `          insmod-173     [001] .....    16.936930: module_load: ml_getleak OE
CPU:1 [LOST 40 EVENTS]
`;

function left(): readonly string[] {
  return kernel.list(`${TRACEFS}/instances`);
}

test('reads the instance whose probes are ours, and the folder is read through its trace.dat', async () => {
  traceCmd(RECORDS);
  kernel.inInstances('trace_pipe', LOADED);
  const { manifest } = await recording(['true']);
  const [, events] =
    /^record --quiet -o trace\.dat -B modlife-\d+ -C mono -d -k --no-filter -i -v (.*) sh -c /.exec(
      readFileSync(join(folder, 'arguments'), 'utf8'),
    ) ?? [];
  expect(events).toMatch(/^-e module:module_load .*-e modlife_\d+$/);
  expect(kernel.read(`${TRACEFS}/kprobe_events`)).toMatch(/^p:modlife_\d+\/free_module /m);
  expect(left()).toEqual([]);

  expect(manifest).toMatchObject({ state: 'complete', backend: 'trace-cmd', streams: ['trace.dat'] });
  expect(readdirSync(join(folder, 'run'))).not.toContain('trace.txt');
  // The loads that its text tells of have the module probed, and its symbols saved.
  expect(kernel.read(`${TRACEFS}/kprobe_events`)).toMatch(/ ml_getleak:ml_getleak_open$/m);
  expect(readFileSync(join(folder, 'run', manifest.symbols[0]!), 'latin1')).toMatch(
    /; reason=load; clock=mono; since=16\.936930; /,
  );
  const { report } = await analyze([join(folder, 'run')]);
  expect(report.inputs[0]).toMatchObject({ format: 'trace-dat', capture: join(folder, 'run') });
  expect(report.inputs[0]!.events).toBeGreaterThan(0);
});

test('what the kernel lost is told once, by the file itself', async () => {
  traceCmd(RECORDS);
  kernel.inInstances('per_cpu/cpu1/stats', 'entries: 9\noverrun: 40\ndropped events: 2\n');
  const { manifest } = await recording(['true']);
  expect(manifest.lost).toEqual([{ cpu: 1, lost: 42, told: 42 }]);
});

test('says so where there is no trace-cmd', async () => {
  vi.stubEnv('PATH', folder);
  await expect(recording()).rejects.toThrow('there is no trace-cmd here');
  expect(left()).toEqual([]);
});

test('a trace-cmd that cannot begin is told with what it said last', async () => {
  traceCmd("echo 'warning' >&2; echo '  No space left on device' >&2; exit 1");
  await expect(recording()).rejects.toThrow('trace-cmd: No space left on device');
  expect(left()).toEqual([]);
});

test('of a trace-cmd that is killed no process stays, and the folder says what is missing', async () => {
  // The sleep is one of those that read: it would keep the instance for ever.
  traceCmd(`sleep 600 & echo $! > ${folder}/reader\n sh -c "$command" & sleep 0.3; kill -KILL $$`);
  await expect(recording()).rejects.toThrow('trace-cmd ended with SIGKILL');
  const reader = readFileSync(join(folder, 'reader'), 'utf8').trim();
  // Gone, or dead and not yet waited for.
  expect(existsSync(`/proc/${reader}`) ? readFileSync(`/proc/${reader}/stat`, 'utf8') : 'Z').toContain('Z');
  expect(left()).toEqual([]);
  expect((await readManifest(join(folder, 'run')))?.state).toBe('failed');
  await expect(analyze([join(folder, 'run')])).rejects.toThrow(
    /run\/trace\.dat: trace-cmd was killed before it wrote it/,
  );
});
