import { describe, expect, it } from 'vitest';
import type { Bad, CaptureFacts, Lost } from '../../src/model/collector.ts';
import type { Event } from '../../src/model/event.ts';
import { perfScript } from './collector.ts';

function read(text: string) {
  const events: Event[] = [];
  const lost: Lost[] = [];
  const bad: Bad[] = [];
  const facts: CaptureFacts = {};
  const parser = perfScript.createParser({
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

/** For lines that hold one event and nothing to complain about. */
function readOne(text: string): Event {
  const { events, bad } = read(text);
  expect(bad).toEqual([]);
  expect(events).toHaveLength(1);
  return events[0]!;
}

describe('a record of perf script', () => {
  it('is a tracepoint with its system before it', () => {
    const { events, facts } = read(
      '            bash   334 [001]    79.549216:     module:module_get: ml_clean call_site=misc_open refcnt=2',
    );
    expect(facts).toEqual({ clock: 'time' });
    expect(events).toEqual([
      {
        kind: 'module_get',
        seq: 0,
        input: 0,
        line: 1,
        ts: 79_549_216_000,
        cpu: 1,
        pid: 334,
        comm: 'bash',
        context: 'unknown',
        module: 'ml_clean',
        callSite: { text: 'misc_open', symbol: 'misc_open' },
        refcnt: 2,
      },
    ]);
  });

  it('may have any comm, padded or not', () => {
    const body = '[000]    80.244297:     module:module_get: ml_clean call_site=misc_open refcnt=2';
    expect(readOne(`a b-3: [001]   341 ${body}`)).toMatchObject({ comm: 'a b-3: [001]', pid: 341, cpu: 0 });
    // Invented.
    expect(readOne(`   1.000000: a:b   341 ${body}`)).toMatchObject({ comm: '1.000000: a:b', pid: 341 });
    expect(readOne(`             x 7   341 ${body}`)).toMatchObject({ comm: 'x 7', pid: 341 });
    expect(readOne(`:341   341 ${body}`)).toMatchObject({ comm: ':341', pid: 341 });
  });

  it('may have pid and tid, of which the kernel’s pid is the second', () => {
    const line =
      '            bash   142/143   [000]   104.221113:         ml:try_module_get: (ffffffff811480f0) name="" mod=0x0';
    expect(readOne(line)).toMatchObject({ pid: 143, cpu: 0 });
  });

  it('may have nanoseconds, the processor’s mode and wide gaps', () => {
    const line =
      '          insmod   551 [001] K       105.041937944:         module:module_get:                         ml_getleak call_site=jump_label_text_reserved refcnt=3';
    expect(readOne(line)).toMatchObject({ ts: 105_041_937_944, comm: 'insmod', pid: 551, refcnt: 3 });
  });

  it('may lack the CPU, and with other fields all but the time', () => {
    const line = 'perf   333    79.316690:   ml:module_put_entry: (ffffffff811474f0) name="D" mod=0x0';
    expect(readOne(line)).toMatchObject({ comm: 'perf', pid: 333, cpu: -1 });
    // Invented: -F time,event,trace.
    expect(readOne('   79.316690: module:module_free: dummy')).toMatchObject({ comm: '', pid: -1, cpu: -1 });
  });

  it('may have a period before the event', () => {
    // Invented: -F +period.
    const line = 'rmmod   352 [000]    80.171421:          1    module:module_free: ml_getleak';
    expect(readOne(line)).toMatchObject({ kind: 'module_free', module: 'ml_getleak', pid: 352 });
  });

  it('of a return probe names the function before its caller', () => {
    const line =
      'bash   141 [000]    69.239875:     ml:try_module_get_ret: (ffffffff811480f0 <- ffffffff81076930) ret=1';
    expect(readOne(line)).toMatchObject({
      kind: 'function_return',
      probe: 'try_module_get_ret',
      fn: { address: '0xffffffff811480f0' },
      caller: { address: '0xffffffff81076930' },
    });
  });

  it('is a probe by its body, even under the name of a tracepoint', () => {
    // Invented: perf probe module_put.
    const line = 'cat   336 [000]    79.591370:   probe:module_put: (ffffffff811474f0)';
    expect(readOne(line)).toMatchObject({ kind: 'function_entry', probe: 'module_put' });
  });

  it('of a system call has syscalls as its system', () => {
    // Invented after the same event of trace-cmd, which libtraceevent formats for both.
    const line =
      'rmmod   527 [000]    73.159173: syscalls:sys_enter_delete_module: name_user: 0x558c50633858, flags: 0x00000800';
    expect(readOne(line)).toMatchObject({ kind: 'syscall_enter', syscall: 'delete_module', flags: 0x800 });
  });

  it('is passed over when it is not about module life', () => {
    const { events, bad } = read(
      [
        '# captured on    : Fri Nov 20 09:36:48 2026',
        "'trace' not valid for hardware events. Ignoring.",
        'swapper     0 [000]     0.000000: PERF_RECORD_MMAP -1/0: [0xffffffffc040b000(0x4000) @ 0]: x [ml_clean]',
        'swapper     0 [000]     0.000000: PERF_RECORD_FORK(1:1):(0:0)',
        'bash     0 [000]     0.000000: PERF_RECORD_COMM: bash:1/1',
        // Invented.
        'swapper     0 [000]    65.003509:     250000 cpu-clock:pppH: ',
        '\tffffffff81a43e1d do_syscall_64+0x5d ([kernel.kallsyms])',
        '',
        'bash   334 [001]    79.549216: sched:sched_switch: bash:291 [120] X ==> swapper/1:0 [120]',
      ].join('\n'),
    );
    expect({ events, bad }).toEqual({ events: [], bad: [] });
  });
});

describe('a string that is garbage', () => {
  it('may hold a tab', () => {
    const line = 'perf   333 [001]    79.316690:   ml:module_put_entry: (ffffffff811474f0) name="\t" mod=0x0';
    expect(readOne(line)).toMatchObject({ args: { name: '\t', mod: '0x0' } });
  });

  it('may hold a newline, and the record still has its callchain', () => {
    const event = readOne(
      [
        'bash   334 [001]    79.339176:   ml:module_put_entry: (ffffffff811474f0) name="',
        '" mod=0x0',
        '\tffffffff811474f1 module_put+0x1 ([kernel.kallsyms])',
        '\tffffffff81369c37 __fput+0xb7 ([kernel.kallsyms])',
        '',
      ].join('\n'),
    );
    expect(event).toMatchObject({ line: 1, args: { mod: '0x0' }, stack: ['module_put+0x1', '__fput+0xb7'] });
  });

  it('may hold several newlines, quotes and what looks like a frame', () => {
    // Invented.
    const event = readOne(
      'tr   542 [001]   104.325836:   ml:__module_get: (ffffffff81148190) name="\n\n\tff x"y\n" mod=0x0\n\tffffffff81148191 __module_get+0x1 ([kernel.kallsyms])',
    );
    expect(event).toMatchObject({ args: { mod: '0x0' }, stack: ['__module_get+0x1'] });
  });

  it('that never ends is one bad line, and the next record is read', () => {
    // Invented.
    const { events, bad } = read(
      'tr   542 [001]   104.325836:   ml:__module_get: (ffffffff81148190) name="abc\nrmmod   352 [000]   104.4:\nrmmod   352 [000]   104.400000:    module:module_free: ml_getleak',
    );
    expect(bad).toMatchObject([{ line: 1, message: 'expected a closing quote' }]);
    expect(events).toMatchObject([{ kind: 'module_free' }]);
  });
});

describe('a callchain', () => {
  const record =
    'cat   730 [000]   292.952938:         module:module_get: ml_getleak call_site=0xffffffffc04360c5 refcnt=2';

  it('holds the kernel’s frames alone, without those of tracing', () => {
    const event = readOne(
      [
        record,
        '\tffffffff81192d21 __traceiter_module_get+0x41 ([kernel.kallsyms])',
        '\tffffffff81193abd try_module_get+0x6d ([kernel.kallsyms])',
        '\tffffffffc04360c5 [unknown] ([unknown])',
        '\tffffffffc0501234 dm_create+0x4 ([dm_mod])',
        '\t           f8a1a __close+0x3a (/usr/lib/x86_64-linux-gnu/libc.so.6)',
        '\t20646564616f6c00 [unknown] ([unknown])',
        '',
      ].join('\n'),
    );
    expect(event.stack).toEqual(['try_module_get+0x6d', '0xffffffffc04360c5', 'dm_create+0x4 [dm_mod]']);
  });

  it('may lack the file each frame is from, which leaves the address to judge by', () => {
    const event = readOne(
      [
        record,
        '\tffffffff81193abd try_module_get+0x6d',
        '\t           f8a1a __close+0x3a',
        '\t          1da2ea [unknown]',
      ].join('\n'),
    );
    expect(event.stack).toEqual(['try_module_get+0x6d']);
  });

  it('may name files of the kernel, inlined frames and source lines', () => {
    // Invented after tools/perf/util/evsel_fprintf.c.
    const { events, bad } = read(
      [
        record,
        '\tffffffff81193abd try_module_get+0x6d (/usr/lib/debug/boot/vmlinux-6.12.0)',
        '  main.c:857',
        '\tffffffffc0501234 dm_create (inlined)',
        '\tffffffffc0501234 dm_ctl+0x4 (/lib/modules/6.12.0/kernel/drivers/md/dm-mod.ko.xz)',
        '\tffffffffff600000 vgettimeofday+0x0 ([vsyscall])',
      ].join('\n'),
    );
    expect(bad).toEqual([]);
    expect(events[0]!.stack).toEqual(['try_module_get+0x6d', 'dm_create', 'dm_ctl+0x4 [dm_mod]']);
  });

  it('belongs to the record right above it', () => {
    const { events } = read(
      `${record}\n\nswapper     0 [000]   292.952939: cycles: \n\tffffffff81193abd idle+0x6d ([kernel.kallsyms])`,
    );
    expect(events[0]!.stack).toBeUndefined();
  });
});

describe('what perf says besides', () => {
  it('includes the kernel and the number of CPUs (--header)', () => {
    expect(read('# os release : 6.1.0-56-amd64\n# nrcpus online : 2').facts).toEqual({
      kernel: '6.1.0-56-amd64',
      cpus: 2,
    });
  });

  it('includes losses, which have no exact place', () => {
    // Invented after tools/perf/util/event.c and session.c.
    const { lost, bad } = read(
      [
        'bash   334 [001]    79.549216: PERF_RECORD_LOST lost 12',
        'Processed 4711 events and lost 3 chunks!',
      ].join('\n'),
    );
    expect(bad).toEqual([]);
    expect(lost).toEqual([
      { count: 12, where: 'anywhere', line: 1 },
      { where: 'anywhere', line: 2 },
    ]);
  });

  it('tells times relative to the start when the first is zero (--reltime)', () => {
    // Invented.
    expect(read('rmmod   352 [000]     0.000000: module:module_free: dummy').facts).toEqual({
      clock: 'relative',
    });
  });
});

describe('a line that cannot be read', () => {
  it('names the column where it stopped making sense', () => {
    const line = 'bash   334 [001]    79.549216:     module:module_get: ml_clean call_site=misc';
    expect(read(line).bad).toEqual([
      {
        line: 1,
        column: line.length + 1,
        message: 'expected "MODULE call_site=SYMBOL refcnt=N"',
        text: line,
      },
    ]);
  });

  it('is one cut within its header', () => {
    const record = 'rmmod   352 [000]    80.171421:    module:module_free: ml_getleak';
    expect(read(`${record}\n            bash   334 [0`).bad).toMatchObject([{ line: 2, column: 1 }]);
  });
});

describe('sniffing', () => {
  const record =
    '            bash   334 [001]    79.549216:     module:module_get: ml_clean call_site=misc_open refcnt=2\n';

  it('knows records wherever they begin', () => {
    expect(perfScript.sniff(record)).toBe(true);
    expect(perfScript.sniff(`# ========\n# captured on : x\n#\n${record}`)).toBe(true);
    expect(perfScript.sniff('swapper     0 [000]     0.000000: PERF_RECORD_FORK(1:1):(0:0)\n')).toBe(true);
  });

  it('leaves the text of ftrace and of trace-cmd alone', () => {
    expect(
      perfScript.sniff(
        '            bash-307     [000] ...1.    70.191156: module_put: ml_clean call_site=__fput refcnt=1',
      ),
    ).toBe(false);
    expect(
      perfScript.sniff(
        '            bash-175   [001]     7.316876: module_put:           ml_clean call_site=__fput refcnt=1',
      ),
    ).toBe(false);
    expect(perfScript.sniff('')).toBe(false);
  });

  it('declines what perf prints or writes otherwise, and says what to do', () => {
    const declined = (head: string) => expect(perfScript.sniff(head)).toHaveProperty('declined');
    declined('PERFILE2h\0\0\0');
    declined('# To display the perf.data header info, please use --header/--header-only options.\n#\n');
    declined('     0.000 bash/354 module:module_get(ip: -2123652208, refcnt: 2, name: "ml_clean")\n');
    declined('            bash   334 [001]     module:module_get: ml_clean call_site=misc_open refcnt=2\n');
    // Invented: --deltatime.
    const delta = ['0.000000', '0.900000', '0.100000'].map((time) => record.replace('79.549216', time));
    declined(delta.join(''));
  });
});
