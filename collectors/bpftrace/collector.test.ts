import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Bad, CaptureFacts, Lost } from '../../src/model/collector.ts';
import type { Code, Event, ModuleRefEvent } from '../../src/model/event.ts';
import { bpftrace } from './collector.ts';

function read(capture: string | Buffer) {
  const bytes = typeof capture === 'string' ? Buffer.from(capture) : capture;
  const events: Event[] = [];
  const lost: Lost[] = [];
  const bad: Bad[] = [];
  const facts: CaptureFacts = {};
  const parser = bpftrace.createParser({
    event: (event) => events.push(event),
    lost: (loss) => lost.push(loss),
    bad: (line) => bad.push(line),
    facts: (more) => Object.assign(facts, more),
  });
  let line = 0;
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(10, start);
    const end = newline < 0 ? bytes.length : newline;
    parser.line(bytes, start, end, ++line);
    start = end + 1;
  }
  parser.end();
  return { events, lost, bad, facts };
}

/** What bpftrace -f json makes of the same printf calls. */
function asJson(text: string): string {
  const printfs = text.match(/^modlife1 .*\n(?:(?!modlife1 ).*\n)*/gm) ?? [];
  return printfs
    .map((printf) => {
      const data = JSON.stringify(printf).replace(/[\x80-\uffff]/g, (char) =>
        [...Buffer.from(char)].map((byte) => `\\uffffff${byte.toString(16)}`).join(''),
      );
      return `{"type": "printf", "data": ${data}}\n`;
    })
    .join('');
}

const withoutLine = (events: readonly Event[]) => events.map(({ line, ...event }) => event);

const BEGIN =
  'modlife1 1 0 9 80000001 begin stext=0xffffffff81000000 etext=0xffffffff82000000 kernel=6.1.0-56-amd64 comm="bpftrace"\n';
const INIT =
  'modlife1 2 0 7 80000001 enter fn=do_init_module mod=0xffffffffc040f080 text=0xffffffffc040d000 size=4096 state=1 refcnt=2 name=ml comm="insmod"\n';
const GET =
  'modlife1 54640161509 1 589 80000002 get refcnt=2 ip=0xffffffffc040d031 sym=ml_open name=ml comm="cat"\n' +
  '\tffffffff81148175 try_module_get+133\n' +
  '\tffffffffc040d031 ml_open+17\n' +
  '\tffffffff816ba3e1 misc_open+193\n' +
  '\n';

const samples = new URL('../../samples/bpftrace/', import.meta.url);
const sample = (name: string) => readFileSync(new URL(name, samples));
const names = readdirSync(samples).filter(
  (name) => /\.(?:txt|json)$/.test(name) && !name.includes('.expected.'),
);

describe('recognising', () => {
  const head = (bytes: Buffer) => bpftrace.sniff(bytes.toString('latin1', 0, 65536));

  it.each(names)('%s is ours', (name) => {
    expect(head(sample(name))).toBe(true);
  });

  it('takes the banner of a capture that has only just begun', () => {
    expect(bpftrace.sniff('Attaching 16 probes...\n')).toBe(true);
    expect(bpftrace.sniff('{"type": "attached_probes", "data": {"probes": 16}}\n')).toBe(true);
  });

  it('declines what another bpftrace program printed, and says what to record instead', () => {
    const declined = { declined: expect.stringContaining('collectors/bpftrace/modlife.bt') };
    expect(bpftrace.sniff('Attaching 2 probes...\n12 cat module_get name=ml refcnt=2\n')).toEqual(declined);
    expect(bpftrace.sniff('Attached 1 probe\n@[cat]: 1\n')).toEqual(declined);
    expect(
      bpftrace.sniff(
        '{"type": "attached_probes", "count": 1, "data": {"probes": 1}}\n{"type": "map", "data": {}}\n',
      ),
    ).toEqual(declined);
  });

  it('declines another version of its own protocol', () => {
    expect(bpftrace.sniff('modlife2 1 0 9 get\n')).toEqual({ declined: expect.stringContaining('modlife2') });
  });

  it('leaves other traces to others', () => {
    expect(bpftrace.sniff('# tracer: nop\n#\n')).toBe(false);
    expect(bpftrace.sniff('')).toBe(false);
  });
});

describe('a record', () => {
  it('becomes an event, with its stack', () => {
    const { events, bad, facts } = read(BEGIN + INIT + GET);
    expect(bad).toEqual([]);
    expect(facts).toEqual({ kernel: '6.1.0-56-amd64', clock: 'time', ordered: false });
    expect(events[1]).toEqual({
      kind: 'module_get',
      seq: 0,
      input: 0,
      line: 3,
      ts: 54640161509,
      cpu: 1,
      pid: 589,
      comm: 'cat',
      context: 'task',
      module: 'ml',
      refcnt: 2,
      callSite: {
        text: 'ml_open+0x11 [ml]',
        symbol: 'ml_open',
        module: 'ml',
        offset: 17,
        address: '0xffffffffc040d031',
      },
      stack: [
        'ffffffff81148175 try_module_get+133',
        'ffffffffc040d031 ml_open+17',
        'ffffffff816ba3e1 misc_open+193',
      ],
    });
  });

  it('of a probed function carries its arguments and names', () => {
    const [event] = read(INIT).events;
    expect(event).toMatchObject({
      kind: 'function_entry',
      probe: 'do_init_module',
      fn: { text: 'do_init_module', symbol: 'do_init_module' },
      args: { name: 'ml', mod: '0xffffffffc040f080', state: '1', refcnt: '2' },
    });
    const [own] = read('modlife1 2 0 7 1 leave fn=ml_release module=ml ret=0x0 comm="x"\n').events;
    expect(own).toMatchObject({
      kind: 'function_return',
      fn: { text: 'ml_release [ml]', symbol: 'ml_release', module: 'ml' },
      args: { ret: '0x0' },
    });
  });

  it('of a system call says which module, how, and how it ended', () => {
    const { events } = read(
      'modlife1 2 0 7 1 sys_enter call=delete_module flags=0xa00 name=ml comm="rmmod"\n' +
        'modlife1 3 0 7 1 sys_exit call=delete_module ret=-11 comm="rmmod"\n' +
        'modlife1 4 0 8 1 sys_enter call=delete_module flags=0x800 name= comm="nobody"\n' +
        'modlife1 5 0 8 1 exit comm="nobody"\n',
    );
    expect(events).toMatchObject([
      { kind: 'syscall_enter', syscall: 'delete_module', flags: 0xa00, module: 'ml' },
      { kind: 'syscall_exit', syscall: 'delete_module', ret: -11 },
      { kind: 'syscall_enter', flags: 0x800 },
      { kind: 'sched_process_exit', target: 8 },
    ]);
    expect(events[2]).not.toHaveProperty('module');
  });

  it('of a load spells the taints as the kernel does', () => {
    const load = (taints: string) => `modlife1 2 0 7 1 load taints=${taints} name=ml comm="insmod"\n`;
    const taints = read(load('0x3000') + load('0x0') + load('0x3403')).events.map((event) =>
      event.kind === 'module_load' ? event.taints : undefined,
    );
    expect(taints).toEqual(['OE', '', 'POFCE']);
  });

  it('loses the frames of the tracer itself', () => {
    const { events } = read(
      'modlife1 3 1 5 1 put refcnt=1 ip=0xffffffff811956dc sym=do_init_module name=ml comm="insmod"\n' +
        '\tffffffffc0002934 bpf_prog_5f3187e73ce65d83_rawtracepoint_module_put_5+1924\n' +
        '\tffffffff8125b296 bpf_trace_run2+134\n' +
        '\tffffffff81192d02 __traceiter_module_put+50\n' +
        '\tffffffff81192ea3 module_put+99\n' +
        '\tffffffff811956dc do_init_module+204\n\n',
    );
    expect(events[0]?.stack).toEqual([
      'ffffffff81192ea3 module_put+99',
      'ffffffff811956dc do_init_module+204',
    ]);
  });

  it.each([
    ['80000001', 'task'],
    ['80000201', 'task'], // softirqs disabled, not served
    ['101', 'softirq'],
    ['10101', 'hardirq'],
    ['110001', 'nmi'],
    ['0', 'unknown'], // record.sh did not find the counter
  ])('with preemption count %s was taken in context %s', (count, context) => {
    const { events } = read(`modlife1 3 1 5 ${count} free name=ml comm="x"\n`);
    expect(events[0]?.context).toBe(context);
  });

  it('of a probe that looks like an NMI may be a breakpoint, so its context is unknown', () => {
    const { events } = read('modlife1 3 1 5 110001 leave fn=f module= ret=0x0 comm="x"\n');
    expect(events[0]?.context).toBe('unknown');
  });
});

describe('a call site', () => {
  const get = (address: string, symbol: string, offset: number) =>
    `modlife1 9 1 5 1 get refcnt=2 ip=0x${address} sym=${symbol} name=ml comm="x"\n\t${address} ${symbol}+${offset}\n\n`;
  const sites = (capture: string): Code[] =>
    read(BEGIN + capture)
      .events.filter((event): event is ModuleRefEvent => event.kind === 'module_get')
      .map((event) => event.callSite);

  it('is one object per place', () => {
    const [first, again, other] = sites(
      get('ffffffff816ba390', 'misc_open', 112) +
        get('ffffffff816ba390', 'misc_open', 112) +
        get('ffffffff816ba3e1', 'misc_open', 193),
    );
    expect(again).toBe(first);
    expect(other).not.toBe(first);
    expect(other).toMatchObject({ symbol: 'misc_open', address: '0xffffffff816ba3e1' });
  });

  it('keeps only its address when bpftrace named a neighbour', () => {
    expect(sites(INIT + get('ffffffffc040d031', '__SCT__tp_func_netfs_sreq_ref', 98353))).toEqual([
      { text: '0xffffffffc040d031 [ml]', module: 'ml', address: '0xffffffffc040d031' },
    ]);
  });

  it('keeps only its address where another module lived before', () => {
    const [before, after] = sites(
      INIT +
        get('ffffffffc040d031', 'ml_open', 17) +
        INIT.replaceAll('=ml ', '=other ') +
        get('ffffffffc040d031', 'ml_open', 17),
    );
    expect(before?.symbol).toBe('ml_open');
    expect(after).toEqual({
      text: '0xffffffffc040d031 [other]',
      module: 'other',
      address: '0xffffffffc040d031',
    });
  });

  it('is believed again when the same module is loaded at the same place', () => {
    const [before, after] = sites(
      INIT + get('ffffffffc040d031', 'ml_open', 17) + INIT + get('ffffffffc040d031', 'ml_open', 17),
    );
    expect(after).toBe(before);
  });

  it('in a module that was there before the capture is known from its first lines', () => {
    const there =
      'modlife1 0 0 0 0 module first=0xffffffffc040d000 last=0xffffffffc040dfff name=ml comm=""\n';
    expect(sites(there + get('ffffffffc040d031', 'ml_open', 17))[0]).toMatchObject({
      symbol: 'ml_open',
      module: 'ml',
    });
  });

  it('that nothing is known of is an address', () => {
    expect(sites(get('ffffffffc0999031', 'ml_open', 17))).toEqual([
      { text: '0xffffffffc0999031', address: '0xffffffffc0999031' },
    ]);
  });
});

describe('what really happened', () => {
  /** A line per event, in time order. */
  const story = (name: string) =>
    read(sample(name))
      .events.filter((event) => event.comm !== 'bpftrace')
      .sort((a, b) => a.ts - b.ts)
      .map((event) => {
        const what = 'fn' in event && event.fn ? `${event.kind} ${event.fn.symbol}` : event.kind;
        const state = 'args' in event && event.args.state ? ` in state ${event.args.state}` : '';
        const count =
          'refcnt' in event ? ` ${event.callSite.symbol ?? event.callSite.address} ${event.refcnt}` : '';
        return `${event.comm} ${what}${state}${count}`;
      });

  it.each(names.filter((name) => name.includes('leak')))(
    '%s: the open for writing is not given back',
    (name) => {
      const references = story(name).filter((line) => /^\w+ module_(?:get|put) /.test(line));
      expect(references).toEqual([
        'insmod module_put do_init_module 1',
        'cat module_get ml_getleak_open 2',
        'cat module_put ml_getleak_release 1',
        'cat module_get ml_getleak_open 2',
        'cat module_put ml_getleak_release 1',
        'bash module_get ml_getleak_open 2',
        'cat module_get ml_getleak_open 3',
        'cat module_put ml_getleak_release 2',
      ]);
    },
  );

  it.each(['6.1-put-after-failed-get.txt', '6.1-put-after-failed-get.json'])(
    '%s: the try in state going is not followed by a get, but by a put',
    (name) => {
      const lines = story(name);
      const tried = lines.indexOf('cat function_entry try_module_get in state 2');
      expect(lines[tried + 1]).toBe('cat module_put ml_reg_use.cold 0');
    },
  );

  it.each(names.filter((name) => name.includes('release-after-exit')))(
    '%s: release has not returned when the text is freed',
    (name) => {
      expect(story(name).map((line) => line.replace(/^kworker\S+/, 'kworker'))).toEqual([
        'rmmod syscall_enter',
        'rmmod function_entry ml_relexit_exit',
        'kworker function_entry ml_relexit_release',
        'rmmod function_return ml_relexit_exit',
        'rmmod function_entry free_module in state 2',
        'rmmod module_free',
        'rmmod module_put module_unload_free 1',
        'rmmod syscall_exit',
      ]);
    },
  );

  it('6.12-fixed: a module loaded after bpftrace read the symbols has addresses, not the name of a neighbour', () => {
    const names = read(sample('6.12-fixed.txt')).events.map((event) =>
      'callSite' in event ? event.callSite.text : '',
    );
    expect(names).toContain('0xffffffffc044e0c5 [ml_getleak]');
    expect(names.join()).not.toContain('ftrace_trampoline');
  });
});

describe('a hostile comm', () => {
  const events = (comm: string) => {
    const text = `${BEGIN}modlife1 3 1 5 1 free name=ml comm="${comm}"\nmodlife1 4 1 5 1 free name=ml comm="x"\n`;
    const plain = read(text);
    expect(plain.bad).toEqual([]);
    expect(withoutLine(read(asJson(text)).events)).toEqual(withoutLine(plain.events));
    return plain.events;
  };

  it.each([
    'a b: c',
    'cat" name="x',
    ' comm="',
    '\x1b[31mred\x1b[0m',
    'two\nlines',
    '\n\n',
    'café',
    'C:\\uffffff41',
    '',
    'b=1 c=2',
  ])('%j is read as it is', (comm) => {
    expect(events(comm).map((event) => event.comm)).toEqual([comm, 'x']);
  });
});

describe('trouble', () => {
  it.each(names)('%s has nothing unreadable', (name) => {
    const { bad, lost, events } = read(sample(name));
    expect(bad).toEqual([]);
    expect(lost).toEqual([]);
    expect(events.length).toBeGreaterThan(5);
  });

  it.each(names)('%s cut at any byte loses at most the record that was cut', (name) => {
    const whole = sample(name);
    const all = read(whole).events.length;
    for (let end = 0; end < whole.length; end += 97) {
      const { events, bad } = read(whole.subarray(0, end));
      expect(events.length).toBeLessThanOrEqual(all);
      expect(bad.length).toBeLessThanOrEqual(1);
    }
  });

  it.each(names.filter((name) => name.endsWith('.txt')))(
    '%s as JSON or with CRLF gives the same events',
    (name) => {
      const text = sample(name).toString('latin1');
      const { events } = read(text);
      expect(withoutLine(read(asJson(text)).events)).toEqual(withoutLine(events));
      expect(read(text.replaceAll('\n', '\r\n')).events).toEqual(events);
    },
  );

  it('counts losses wherever bpftrace reports them', () => {
    const { lost } = read(
      'Lost 17 events\n' +
        '{"type": "lost_events", "data": {"events": 7}}\n' +
        '{"type": "lost_events", "count": 5, "data": {"events": 5}}\n' +
        'WARNING: Total lost event count: 30\n',
    );
    expect(lost).toEqual([
      { count: 17, where: 'anywhere', line: 1 },
      { count: 7, where: 'anywhere', line: 2 },
      { count: 5, where: 'anywhere', line: 3 },
      { count: 1, where: 'anywhere', line: 4 },
    ]);
  });

  it('is what is missing of the records the program counted', () => {
    const capture = BEGIN + INIT + GET;
    const count = (text: string) => read(text).lost;
    expect(count(`${capture}\n\n@records[0]: 1\n@records[1]: 1\n`)).toEqual([]);
    expect(count(`${capture}\n\n@records[0]: 1\n@records[1]: 8\n`)).toEqual([
      { count: 7, where: 'anywhere', line: 11 },
    ]);
    expect(count(`${capture}Lost 7 events\n@records[1]: 9\n`)).toEqual([
      { count: 7, where: 'anywhere', line: 8 },
    ]);
    expect(count(`${asJson(capture)}\n\n{"type": "map", "data": {"@records": {"0": 1, "1": 3}}}\n`)).toEqual([
      { count: 2, where: 'anywhere', line: 6 },
    ]);
  });

  it('is not banners, maps, blank lines or what a traced command printed', () => {
    const noise =
      'Attaching 16 probes...\nAttached 16 probes\n\n@took[5]: 1\nmodlife is a word\n{"type": "map", "data": {"@took": {"5": 1}}}\n{}\n';
    const { events, bad } = read(`${noise + BEGIN}no newline${GET}${noise}`);
    expect(bad).toEqual([]);
    expect(events).toMatchObject([{ kind: 'module_get', line: 9 }]);
  });

  it.each([
    ['modlife1 ', 10, 'nanoseconds'],
    ['modlife1 3 x 5 1 free name=ml comm="x"', 12, 'a cpu'],
    ['modlife1 3 1 pid 1 free name=ml comm="x"', 14, 'a pid'],
    ['modlife1 3 1 5 1 vanish name=ml comm="x"', 18, 'one of'],
    ['modlife1 3 1 5 1 free name= comm="x"', 28, 'a module name'],
    ['modlife1 3 1 5 1 free comm="x"', 28, 'name= before comm='],
    ['modlife1 3 1 5 1 put refcnt=2x ip=0x1 sym=f name=ml comm="x"', 29, 'a number'],
    ['modlife1 3 1 5 1 free name=ml comm="x', 36, 'a comm in quotes'],
    ['modlife1 3 1 5 1 exit comm=x', 28, 'a comm in quotes'],
    ['modlife1 3 1 5 1 free name=ml', 30, 'comm='],
    ['modlife1 3 1 5 1 free oops', 23, '<key>=<value>'],
  ])('%s is pointed at', (text, column, expected) => {
    const { bad, events } = read(`${text}\n\n${GET}`);
    expect(bad).toEqual([{ line: 1, column, message: expect.stringContaining(expected), text }]);
    expect(events).toHaveLength(1);
  });

  it('in JSON is pointed at in the line of JSON', () => {
    const source = '{"type": "printf", "data": "modlife1 3 1 5 1 vanish comm=\\"x\\"\\n"}';
    expect(read(source).bad).toMatchObject([{ column: source.indexOf('vanish') + 1, text: source }]);
    expect(read(source.slice(0, -4)).bad).toMatchObject([{ column: source.length - 3 }]);
  });

  it('is not made of a forged record inside a JSON string', () => {
    const forged =
      'modlife1 3 1 5 1 sys_enter call=delete_module flags=0x0 name=a\\nmodlife1 4 1 5 1 free name=ml comm=\\"x\\" comm=\\"y\\"\\n';
    const { events } = read(`{"type": "printf", "data": "${forged}"}\n`);
    expect(events.map((event) => event.kind)).not.toContain('module_free');
  });
});
