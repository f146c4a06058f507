import { readdirSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { fakeKernel, TRACEFS } from '../testing/fake-kernel.ts';
import { makePlan, planModuleProbes } from './plan.ts';
import { survey } from './survey.ts';

const kernels = readdirSync('src/testing/kernels')
  .map((file) => file.replace('.json', ''))
  .map((name) => ({ name, kernel: fakeKernel(name) }));
afterAll(() => {
  for (const { kernel } of kernels) kernel.remove();
});

describe.each(kernels)('on Linux $name', ({ kernel }) => {
  const found = survey(kernel);
  const plan = makePlan(found, ['foo']);
  const event = (name: string) => plan.events.find((own) => own.event === name);
  const probe = (name: string) => plan.probes.find((own) => own.name === name);

  test('every rule can be asked', () => {
    expect(plan.missing.flatMap(({ rules }) => rules)).toEqual([]);
    expect(plan.clock).toBe('mono');
  });

  test('timers and work of vmlinux are left out in the kernel, by where its text lies', () => {
    const { start, end } = found.text!;
    expect(event('timer/timer_start')?.filter).toBe(`function < ${start} || function >= ${end}`);
    expect(event('workqueue/workqueue_execute_end')).toMatchObject({
      filter: `function < ${start} || function >= ${end}`,
    });
  });

  test('what does not tell its function waits for an event that does', () => {
    expect(event('timer/timer_expire_exit')).toEqual({
      event: 'timer/timer_expire_exit',
      from: 'timer/timer_expire_entry',
    });
  });

  test('wakeups and waits are recorded once an unload has begun', () => {
    expect(event('sched/sched_waking')?.from).toBe('syscalls/sys_enter_delete_module');
    expect(probe('rcu_barrier__return')?.from).toBe('syscalls/sys_enter_delete_module');
  });

  test('try_module_get is probed on entry only: a return probe hides who called it', () => {
    expect(plan.probes.filter(({ fn }) => fn === 'try_module_get')).toEqual([
      {
        name: 'try_module_get',
        at: 'entry',
        fn: 'try_module_get',
        args: ['name=+24($arg1):string', 'mod=$arg1:x64'],
        filter: 'mod != 0',
      },
    ]);
  });

  test('kobject_put is not asked for, since lib/ cannot be traced here', () => {
    expect(plan.probes.filter(({ fn }) => fn.startsWith('kobject_'))).toEqual([]);
    expect(probe('device_release')?.args).toEqual(['kobj=$arg1:x64']);
  });

  test('call_rcu stands in for the RCU events that this kernel is built without', () => {
    expect(probe('call_rcu')).toMatchObject({
      args: ['head=$arg1:x64', 'func=$arg2:symbol'],
      filter: expect.stringMatching(/^func < 0x/),
    });
  });

  test('no two probes have one name', () => {
    const names = plan.probes.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('a kernel that offers less', () => {
  test('is told what is missing, for which rules, and what would help', () => {
    const kernel = fakeKernel('6.1');
    const found = survey(kernel);
    kernel.remove();
    const events = new Map([...found.events].filter(([name]) => !name.startsWith('syscalls/')));
    const plan = makePlan({ ...found, events, kprobes: false, text: undefined }, []);
    expect(plan.probes).toEqual([]);
    expect(plan.missing).toContainEqual({
      what: 'events/syscalls/sys_enter_delete_module',
      because: 'this kernel has no such event',
      advice: 'a kernel with CONFIG_FTRACE_SYSCALLS',
      rules: ['stuck-unload', 'busy-unload'],
      weakens: [],
    });
    expect(plan.missing.find(({ what }) => what === 'kprobe_events')?.rules).toContain('release-after-exit');
    // Wakeups are of use during unloads only, and nothing tells of those.
    expect(plan.events.map(({ event }) => event)).not.toContain('sched/sched_waking');
    expect(plan.events.find(({ event }) => event === 'timer/timer_start')).not.toHaveProperty('filter');
  });

  test('records throughout what it cannot start by another event', () => {
    const kernel = fakeKernel('6.1');
    const found = survey(kernel);
    kernel.remove();
    const { events, probes } = makePlan({ ...found, triggers: false }, []);
    expect([...events, ...probes].filter(({ from, stack }) => from !== undefined || stack === true)).toEqual(
      [],
    );
    expect(events.map(({ event }) => event)).toContain('sched/sched_waking');
  });

  test('is not tried at all without tracefs', () => {
    const kernel = fakeKernel('6.1');
    const without = { ...kernel, list: () => [] };
    expect(() => survey(without)).toThrow(`${TRACEFS} has no events`);
    kernel.remove();
  });
});

describe('the probes of a module', () => {
  const release = { name: 'foo_release', returns: 'void', pointees: ['kobject'] } as const;
  const show = { name: 'foo_show', returns: 'int', pointees: ['kobject', 'attribute', undefined] } as const;

  test('without types: every function, in and out', () => {
    const probes = planModuleProbes('foo', ['foo_open', 'foo_close'], undefined, true, 0);
    expect(probes.map(({ name, args }) => [name, ...args])).toEqual([
      ['leave3_foo_foo_open', 'ret=$retval:s32'],
      ['enter3_foo_foo_open'],
      // What a function that returns nothing leaves in the register means nothing.
      ['leave3_foo_foo_close'],
      ['enter3_foo_foo_close'],
    ]);
  });

  test('with types: release methods are known by what they take, and what is returned by what is', () => {
    const probes = planModuleProbes('foo', ['foo_release', 'foo_show'], [release, show], true, 0);
    expect(probes.map(({ name, args }) => [name, ...args])).toEqual([
      ['leave3_foo_foo_release'],
      ['enter3_foo_foo_release', 'kobj=$arg1:x64'],
      ['leave3_foo_foo_show', 'ret=$retval:s32'],
      ['enter3_foo_foo_show'],
    ]);
  });

  test('of a module that nobody named: its release methods', () => {
    const probes = planModuleProbes('foo', ['foo_release', 'foo_show'], [release, show], false, 0);
    expect(probes.map(({ fn }) => fn)).toEqual(['foo_release', 'foo_release']);
  });
});
