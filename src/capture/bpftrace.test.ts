import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { packageRoot } from '../package-root.ts';
import { fakeKernel } from '../testing/fake-kernel.ts';
import { bpftracePlan, openBpftrace } from './bpftrace.ts';
import { survey } from './survey.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const kernel = fakeKernel('6.1');
const found = survey(kernel);
const plan = bpftracePlan(kernel, found, ['ml_getleak']);
const unplanned = bpftracePlan(kernel, found, ['mydrv']);
kernel.remove();

/** In place of record.sh. */
function script(text: string): string {
  const path = join(folder, 'record.sh');
  writeFileSync(path, text);
  return path;
}

test('an older bpftrace is refused with its version', () => {
  writeFileSync(join(folder, 'bpftrace'), '#!/bin/sh\necho bpftrace v0.11.3\n', { mode: 0o755 });
  const { status, stderr } = spawnSync('sh', [join(packageRoot(), 'collectors/bpftrace/record.sh')], {
    env: { ...process.env, PATH: `${folder}:${process.env.PATH}` },
    encoding: 'utf8',
  });
  expect(stderr).toBe('record.sh: bpftrace 0.11.3 is too old, 0.17 is needed: record with trace-cmd\n');
  expect(status).toBe(2);
});

test('the functions of modules that are loaded are probed, of others that is told', () => {
  expect(plan.probes).toContainEqual({
    name: 'ml_getleak_open',
    at: 'entry',
    fn: 'ml_getleak_open',
    module: 'ml_getleak',
    args: [],
  });
  expect(unplanned.missing).toContainEqual(
    expect.objectContaining({
      what: 'the functions of mydrv',
      advice: 'load it first, or --backend tracefs',
    }),
  );
});

test('a name that several functions have is left out: it would make bpftrace refuse everything', () => {
  const twice = fakeKernel('6.1');
  twice.put('/proc/kallsyms', `${twice.read('/proc/kallsyms')}ffffffff81000010 t ml_getleak_open\n`);
  const { probes, missing } = bpftracePlan(twice, found, ['ml_getleak']);
  twice.remove();
  expect(probes.map(({ fn }) => fn)).not.toContain('ml_getleak_open');
  expect(missing).toContainEqual(
    expect.objectContaining({ what: 'ml_getleak_open()', because: 'several functions have that name' }),
  );
});

test('is ready when the program has begun, and ends when it is told to, with all it has to say', async () => {
  const session = openBpftrace(
    script(`echo "$@"
      echo 'record.sh: this kernel has no kprobe:foo' >&2
      trap 'echo last; exit 0' TERM
      echo 'modlife1 1 0 1 0 begin stext=0x1'
      while :; do sleep 0.05; done`),
    plan,
  );
  let text = '';
  const streamed = session.stream((piece) => {
    text += piece;
  });
  await session.ready;
  session.stop();
  await streamed;
  expect(text).toMatch(/^-f json ml_getleak_\w+ .*ml_getleak_open.*\nmodlife1 .* begin .*\nlast\n$/);
  expect(session.refused).toEqual([{ what: 'kprobe:foo', because: 'this kernel has no such probe' }]);
});

test('a program that ends by itself is told with what it said last', async () => {
  const session = openBpftrace(script("echo 'record.sh: no bpftrace here' >&2; exit 2"), plan);
  await expect(session.stream(() => {})).rejects.toThrow('bpftrace: no bpftrace here');
  await expect(session.ready).rejects.toThrow('bpftrace: no bpftrace here');
});
