import { describe, expect, it } from 'vitest';
import type { Bad, CaptureFacts, Lost } from '../../src/model/collector.ts';
import type { Event } from '../../src/model/event.ts';
import { traceCmd } from './collector.ts';

function read(text: string) {
  const events: Event[] = [];
  const lost: Lost[] = [];
  const bad: Bad[] = [];
  const facts: CaptureFacts = {};
  const parser = traceCmd.createParser({
    event: (event) => events.push(event),
    lost: (gap) => lost.push(gap),
    bad: (line) => bad.push(line),
    facts: (more) => Object.assign(facts, more),
  });
  text.split('\n').forEach((line, i) => {
    const bytes = Buffer.from(line);
    parser.line(bytes, 0, bytes.length, i + 1);
  });
  parser.end();
  return { events, lost, bad, facts };
}

/** For a line that holds one event and nothing to complain about. */
function readOne(line: string): Event {
  const { events, bad } = read(line);
  expect(bad).toEqual([]);
  expect(events).toHaveLength(1);
  return events[0]!;
}

describe('a record of trace-cmd report', () => {
  it('has no flags before trace-cmd 3.2, so its context is unknown', () => {
    const { events, facts } = read(
      'cpus=2\n    a b-3: [001]-181   [000]     7.737557: module_get:           ml_clean call_site=misc_open refcnt=2',
    );
    expect(facts).toEqual({ cpus: 2, clock: 'time' });
    expect(events).toEqual([
      {
        kind: 'module_get',
        seq: 0,
        input: 0,
        line: 2,
        ts: 7_737_557_000,
        cpu: 0,
        pid: 181,
        comm: 'a b-3: [001]',
        context: 'unknown',
        module: 'ml_clean',
        callSite: { text: 'misc_open', symbol: 'misc_open' },
        refcnt: 2,
      },
    ]);
  });

  it('has flags from trace-cmd 3.2 on, which tell the context', () => {
    const line = '        modprobe-1548  [000] .....   105.139319: module_load:          loop ';
    expect(readOne(line)).toMatchObject({ kind: 'module_load', module: 'loop', taints: '', context: 'task' });
    // Invented from the line above.
    expect(readOne(line.replace('.....', '..s1.'))).toMatchObject({ context: 'softirq' });
    expect(readOne(line.replace('.....', 'd.h1'))).toMatchObject({ context: 'hardirq' });
  });

  it('may have nanoseconds (-t)', () => {
    const line =
      '            bash-175   [001]     7.262076274: module_put_entry:     (ffffffff811474f0) name="" mod=0x0';
    expect(readOne(line)).toMatchObject({ kind: 'function_entry', ts: 7_262_076_274 });
  });

  it('may have a short comm, and flags that touch the CPU (-l)', () => {
    const line =
      'trace-cm-174     0..h..     7.232403: module_put_entry:     (ffffffff811474f0) name="" mod=0x0';
    expect(readOne(line)).toMatchObject({ comm: 'trace-cm', pid: 174, cpu: 0, context: 'hardirq' });
  });

  it('may have the difference to the record before it (--ts-diff)', () => {
    const first =
      '            bash-175   [001]     7.230477:          module_put_entry:     (ffffffff811474f0) name="" mod=0x0';
    const second =
      '       trace-cmd-174   [000]     7.232403: (+1926)  module_put_entry:     (ffffffff811474f0) name="" mod=0x0';
    expect(read(`${first}\n${second}`).events.map((event) => event.ts)).toEqual([
      7_230_477_000, 7_232_403_000,
    ]);
  });

  it('may have a time in the clock’s own unit, even without a space before it', () => {
    const spaced =
      '            bash-237   [000] 75482201210: module_get:           ml_clean call_site=misc_open refcnt=2';
    expect(read(spaced)).toMatchObject({ facts: { clock: 'ticks' }, events: [{ ts: 75_482_201_210 }] });
    const touching = '        modprobe-1548  [000] .....105139318901: module_load:          loop ';
    expect(readOne(touching)).toMatchObject({ ts: 105_139_318_901, context: 'task' });
    // Invented: the fourth flag is the depth of preempt_disable(), before 5.15 the last one.
    const fourFlags = '        modprobe-1548  [000] ...1105139318901: module_load:          loop ';
    expect(readOne(fourFlags)).toMatchObject({ ts: 105_139_318_901 });
    const fiveFlags = touching.replace('.....', '...11');
    expect(read(`${touching}\n${fiveFlags}`).events[1]).toMatchObject({ ts: 105_139_318_901 });
  });

  it('counts from zero under --align-ts', () => {
    const line =
      '            bash-175   [001]     0.000000: module_put_entry:     (ffffffff811474f0) name="" mod=0x0';
    expect(read(line).facts).toEqual({ clock: 'relative' });
  });

  it('has its place in the file appended under --debug', () => {
    const line =
      '            bash-175   [001]     7.316061: module_get:           ml_clean call_site=misc_open refcnt=2 [75253:0x290:36]';
    expect(readOne(line)).toMatchObject({ refcnt: 2 });
  });

  it('of a probe names the function before its caller, both as addresses', () => {
    const line =
      '          insmod-507   [001]    71.135080: do_init_module_ret:   (ffffffff81149360 <- ffffffff8114ba7c) ret=0';
    expect(readOne(line)).toMatchObject({
      kind: 'function_return',
      probe: 'do_init_module_ret',
      fn: { address: '0xffffffff81149360' },
      caller: { address: '0xffffffff8114ba7c' },
      args: { ret: '0' },
    });
  });

  it('of a system call has a name too long to be filled up', () => {
    const line =
      '           rmmod-527   [000]    73.159173: sys_enter_delete_module: name_user: 0x558c50633858, flags: 0x00000800';
    expect(readOne(line)).toMatchObject({ kind: 'syscall_enter', syscall: 'delete_module', flags: 0x800 });
  });

  it('of sched_wakeup tells who was woken in the words of libtraceevent’s plugin', () => {
    // Invented after plugin_sched_switch.c.
    const line = '          <idle>-0     [000]    65.003509: sched_wakeup:         rcu: [1]:15 [120] CPU:000';
    expect(readOne(line)).toMatchObject({ kind: 'sched_wakeup', pid: 0, target: 15 });
  });

  it('may hold fields that libtraceevent could not format', () => {
    // Invented after event-parse.c.
    const line =
      '            bash-175   [001]     7.316061: module_get:           [FAILED TO PARSE] ip=0xffffffff816ba390 refcnt=2 name=ml_clean';
    expect(readOne(line)).toMatchObject({ module: 'ml_clean', refcnt: 2 });
  });

  it('goes on in the next line when the comm holds a newline', () => {
    // Invented: the kernel prints the same, seen in a trace.
    const { events, bad } = read(
      'cpus=2\n       two\nlines-103   [001]    21.242920: module_get:           loop call_site=blkdev_get_by_dev.part.0 refcnt=2',
    );
    expect(bad).toEqual([]);
    expect(events).toMatchObject([{ line: 2, comm: 'two\nlines', pid: 103 }]);
  });

  it('is passed over when it is not about module life', () => {
    const { events, bad } = read(
      [
        'cpus=2',
        '            bash-263   [000]    45.465335: function:             module_put',
        '            bash-250   [000]    30.726097: funcgraph_entry:      + 93.991 us  |  try_module_get();',
        '          <idle>-0     [000]    65.003509: sched_switch:         swapper/0:0 [120] R ==> rcu_preempt:15 [120]',
        // Invented: a marker of two lines that imitates an event.
        '            bash-263   [000]    45.465400: print:                tracing_mark_write: module_put: x call_site=y refcnt=0',
        'and its second line',
        '            bash-263   [000]    45.465500: function:             module_put',
      ].join('\n'),
    );
    expect({ events, bad }).toEqual({ events: [], bad: [] });
  });
});

describe('stacks', () => {
  it('belong to the event before them on their CPU, without the frames of tracing', () => {
    const { events } = read(
      [
        '            bash-211   [001]    22.693980: module_get:           ml_getleak call_site=0xffffffffc0412031 refcnt=2',
        '             cat-212   [000]    22.693990: module_put:           ml_clean call_site=__fput refcnt=1',
        '            bash-211   [001]    22.694000: kernel_stack:         <stack trace >',
        '=> trace_event_raw_event_module_refcnt (ffffffff81148337)',
        '=> try_module_get (ffffffff81148175)',
        '=> ffffffffc0412031',
        '=> misc_open (ffffffff816ba390)',
      ].join('\n'),
    );
    expect(events[0]!.stack).toEqual(['try_module_get', 'ffffffffc0412031', 'misc_open']);
    expect(events[1]!.stack).toBeUndefined();
  });

  it('of an event that was passed over are passed over, too', () => {
    const { events } = read(
      [
        '            bash-211   [001]    22.692786: module_get:           ml_clean call_site=misc_open refcnt=2',
        '            bash-211   [001]    22.692800: sched_switch:         bash:211 [120] S ==> swapper/1:0 [120]',
        '            bash-211   [001]    22.693630: kernel_stack:         <stack trace >',
        '=> schedule (ffffffff81a50000)',
      ].join('\n'),
    );
    expect(events[0]!.stack).toBeUndefined();
  });
});

describe('lost events', () => {
  it('are reported with CPU and, where known, count', () => {
    const { lost, bad } = read('CPU:1 [111 EVENTS DROPPED]\nCPU:0 [EVENTS DROPPED]');
    expect(bad).toEqual([]);
    expect(lost).toEqual([
      { count: 111, cpu: 1, where: 'before', line: 1 },
      { cpu: 0, where: 'before', line: 2 },
    ]);
  });
});

describe('several files or instances', () => {
  it('are told apart by a prefix, blank for the top instance', () => {
    const { events } = read(
      [
        'cpus=2',
        'one:             bash-278   [000]    58.397000: module_get:           ml_clean call_site=misc_open refcnt=2',
        'two:             bash-278   [000]    58.402271: module_put:           ml_clean call_site=__fput refcnt=1',
        '         a b-3: [001]-284   [001]    59.190771: module_get:           ml_clean call_site=misc_open refcnt=2',
      ].join('\n'),
    );
    expect(events.map(({ kind, comm }) => `${kind} ${comm}`)).toEqual([
      'module_get bash',
      'module_put bash',
      'module_get a b-3: [001]',
    ]);
  });

  // Invented from the lines above: instances that record the same events.
  const get =
    '           bash-278   [000]    58.397000: module_get:           ml_clean call_site=misc_open refcnt=2';
  const later = get.replace('58.397000', '58.397029');

  it('may have recorded one fact, which is read once', () => {
    const { events } = read(`bar:  ${get}\nfoo:  ${later}\nbar:  ${get}\nfoo:  ${later}`);
    expect(events.map((event) => event.line)).toEqual([1, 3]);
  });

  it('may have recorded a fact that others missed', () => {
    const { events } = read(
      `bar:  ${get}\nfoo:  ${later}\nfoo:  ${later}\nbar:  ${get.replace('278', '279')}`,
    );
    expect(events.map((event) => event.line)).toEqual([1, 3, 4]);
  });

  it('recorded one after the other share no facts', () => {
    const { events } = read(`a.dat: ${get}\nb.dat: ${get.replace('58.39', '68.39')}`);
    expect(events).toHaveLength(2);
  });

  it('put the prefix before a remark and not before the record it is about', () => {
    const { events, lost } = read(
      [
        '     a.dat: cpus=2',
        '     a.dat: CPU:1 [12 EVENTS DROPPED]',
        '            bash-175   [001]     7.316061: module_get:           ml_clean call_site=misc_open refcnt=2',
        'longer.dat: CPU:1 [SUBBUFFER START] [7230476765:0x2000]',
        '            bash-175   [001]     7.316061: module_get:           ml_clean call_site=misc_open refcnt=2',
        'longer.dat:             bash-175   [001]     7.316876: module_put:           ml_clean call_site=__fput refcnt=1',
      ].join('\n'),
    );
    expect(lost).toEqual([{ count: 12, cpu: 1, where: 'before', line: 2 }]);
    expect(events.map((event) => event.line)).toEqual([3, 6]);
  });
});

describe('a line that cannot be read', () => {
  it('names the column where it stopped making sense', () => {
    const line = '            bash-175   [001]     7.316061: module_get:           ml_clean call_si';
    expect(read(line).bad).toEqual([
      {
        line: 1,
        column: line.indexOf('ml_clean') + 1,
        message: 'expected "MODULE call_site=SYMBOL refcnt=N"',
        text: line,
      },
    ]);
  });

  it('is one cut within its header', () => {
    const { bad } = read('cpus=2\n            bash-175   [001]     7.31');
    expect(bad).toMatchObject([{ line: 2, column: 18 }]);
  });

  it('is not what trace-cmd says besides', () => {
    const { bad } = read(
      [
        'version = 7',
        'registering plugin: /usr/lib/x86_64-linux-gnu/traceevent/plugins/plugin_sched_switch.so',
        'overriding event (18) ftrace:raw_data with new print handler',
        'cpus=2',
        '            bash-175   [001]     7.316061: module_get:           ml_clean call_site=misc_open refcnt=2',
        ' TIME EXTEND: delta:278096369 length:0',
        'removing override handler for event (1) ftrace:function. Going back to default handler.',
        '',
      ].join('\n'),
    );
    expect(bad).toEqual([]);
  });

  it('ends in \\r without harm', () => {
    const line =
      '            bash-175   [001]     7.316061: module_get:           ml_clean call_site=misc_open refcnt=2\r';
    expect(readOne(line)).toMatchObject({ refcnt: 2 });
  });
});

describe('sniffing', () => {
  it('knows a report by its first line or by the filled-up names', () => {
    const record =
      '            bash-175   [001]     7.316061: module_get:           ml_clean call_site=misc_open refcnt=2\n';
    expect(traceCmd.sniff(`cpus=2\n${record}`)).toBe(true);
    expect(traceCmd.sniff(record)).toBe(true);
    expect(traceCmd.sniff(` t.dat: cpus=2\n t.dat: ${record}`)).toBe(true);
    expect(traceCmd.sniff('cpus=2\n')).toBe(true);
  });

  it('leaves the kernel’s own text alone', () => {
    const record =
      '            bash-307     [000] ...1.    70.191156: module_get: ml_clean call_site=misc_open refcnt=2\n';
    expect(traceCmd.sniff(record)).toBe(false);
    expect(traceCmd.sniff(`# tracer: nop\n#\n${record}`)).toBe(false);
    expect(traceCmd.sniff('')).toBe(false);
  });

  it('declines raw fields and statistics', () => {
    const raw =
      'cpus=2\n        modprobe-1548  [000]-0x0   105.139319: module_load:           taints=0 name=loop\n';
    expect(traceCmd.sniff(raw)).toMatchObject({ declined: expect.stringContaining('-R') });
    const stat = 'cpus=2\n\nKernel buffer statistics:\n  Note: "entries" are the entries left in the kernel';
    expect(traceCmd.sniff(stat)).toMatchObject({ declined: expect.stringContaining('--stat') });
  });
});
