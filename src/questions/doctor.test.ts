import { describe, expect, test } from 'vitest';
import { makePlan } from '../capture/plan.ts';
import { survey } from '../capture/survey.ts';
import { MANIFEST, type Manifest } from '../model/manifest.ts';
import { analyze } from '../pipeline/analyze.ts';
import { render } from '../report/render.ts';
import { fakeKernel } from '../testing/fake-kernel.ts';
import { doctorCaptures, doctorMachine } from './doctor.ts';

const kernel = fakeKernel('6.1');
const found = survey(kernel);
kernel.remove();
const style = { width: 80, color: false };

const manifest: Manifest = {
  schema: MANIFEST,
  tool: { name: 'modlife', version: '0' },
  state: 'complete',
  backend: 'tracefs',
  kernel: { release: '6.1.0', machine: 'x86_64', cpus: 2 },
  clock: 'mono',
  begin: 0,
  end: 1,
  command: null,
  streams: ['trace.txt'],
  kernelLog: null,
  symbols: [],
  plan: makePlan(found, []),
  notProbed: [],
  lost: [],
  missed: [],
};

describe('on a machine', () => {
  test('a whole kernel and a named module decide every rule', () => {
    const { rules } = doctorMachine('6.1.0', makePlan(found, ['foo']));
    expect(rules.filter(({ state }) => state !== 'yes')).toEqual([]);
  });

  test('what is missing is told once, with the rules it is missing for', async () => {
    const plan = makePlan({ ...found, kprobes: false }, ['foo']);
    expect(await render(doctorMachine('6.1.0', plan), style)).toBe(`Linux 6.1.0

This machine can decide
  ref-leak, put-without-get, stuck-unload, forced-unload, busy-unload, trace-gap

It can decide, but sees less than it could for
  unprotected-get, early-put, text-in-use

It cannot decide
  put-after-failed-get, release-after-exit, free-in-interrupt

Why
  kprobe_events: this kernel is built without CONFIG_KPROBE_EVENTS
      for put-after-failed-get, unprotected-get, early-put, release-after-exit,
      text-in-use, free-in-interrupt
`);
  });
});

describe('on captures', () => {
  const idle = 'samples/tracefs/6.1-options/clock-counter.txt';

  test('a rule whose events are absent is told how to record them', async () => {
    const { report } = await analyze([idle]);
    const { rules } = doctorCaptures(report, []);
    expect(rules.find(({ rule }) => rule === 'busy-unload')).toEqual({
      rule: 'busy-unload',
      state: 'no',
      reasons: [
        {
          text: 'record events/syscalls/sys_enter_delete_module and sys_exit_delete_module',
          advice: 'modlife capture -- COMMAND',
        },
      ],
    });
    for (const { reasons } of rules)
      for (const { text } of reasons) expect(text).not.toMatch(/_fault|hung_task|syscall_e/);
  });

  test("a kernel's log alone answers no rule fully", async () => {
    const { report } = await analyze(['samples/kernel-log/6.1-stuck-unload-dmesg.txt']);
    const { rules } = doctorCaptures(report, []);
    expect(rules.find(({ rule }) => rule === 'stuck-unload')).toMatchObject({ state: 'partly' });
    expect(rules.filter(({ state }) => state === 'yes')).toEqual([]);
  });

  test('what was recorded and did not happen is not asked for again', async () => {
    const { report } = await analyze([idle]);
    const { rules } = doctorCaptures(report, [manifest]);
    expect(rules.find(({ rule }) => rule === 'busy-unload')?.reasons).toEqual([
      { text: 'recorded, and did not happen: no syscall_exit in this capture' },
    ]);
  });

  test('a store that let go of events says so', async () => {
    const { report } = await analyze([idle]);
    const { troubles } = doctorCaptures({ ...report, let_go: { events: 1200, until_ns: 5e9 } }, []);
    expect(troubles).toContainEqual({
      text: 'the store let go of its 1,200 oldest events: nothing can be asked about their time',
      advice: 'a longer time for tail --retain',
    });
  });

  test('a clock that cannot be merged, losses and a recorder that was killed are told', async () => {
    const { report } = await analyze([idle]);
    const input = { ...report.inputs[0]!, lost: 3 };
    const { rules, troubles } = doctorCaptures({ ...report, inputs: [input] }, [
      { ...manifest, state: 'recording' },
    ]);
    expect(troubles.map(({ text }) => text)).toEqual([
      `${idle}: 3 events were lost, beside ${input.events} that were read`,
      `${idle}: its clock tells order, not time, so it cannot be merged with another capture`,
      'the recorder did not end: it was killed, or the machine went down. What came last is missing',
    ]);
    expect(rules.find(({ rule }) => rule === 'ref-leak')).toMatchObject({ state: 'partly' });
  });
});
