import { describe, expect, it } from 'vitest';
import type { Bad, CaptureFacts, Lost } from '../../src/model/collector.ts';
import type { Event, FaultEvent } from '../../src/model/event.ts';
import { kernelLog } from './collector.ts';

function read(text: string) {
  const events: Event[] = [];
  const lost: Lost[] = [];
  const bad: Bad[] = [];
  const facts: CaptureFacts = {};
  const parser = kernelLog.createParser({
    event: (event) => events.push(event),
    lost: (loss) => lost.push(loss),
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

function readOne(text: string): FaultEvent {
  const { events, lost, bad } = read(text);
  expect({ lost, bad }).toEqual({ lost: [], bad: [] });
  expect(events).toHaveLength(1);
  return events[0] as FaultEvent;
}

// Linux 6.1, serial console; registers left out.
const OOPS = `\
[    0.000000] Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0)
[   89.141234] BUG: unable to handle page fault for address: ffffffffc040d0b2
[   89.141589] #PF: supervisor instruction fetch in kernel mode
[   89.142181] Oops: 0010 [#1] PREEMPT SMP NOPTI
[   89.142390] CPU: 1 PID: 200 Comm: ml_kthread: w/0 Tainted: G           OE      6.1.0-56-amd64 #1  Debian 6.1.192-2
[   89.142893] RIP: 0010:0xffffffffc040d0b2
[   89.143142] Code: Unable to access opcode bytes at 0xffffffffc040d088.
[   89.146885] Call Trace:
[   89.147051]  <TASK>
[   89.147162]  ? trace_clock_x86_tsc+0x20/0x20
[   89.147302]  ? kthread_complete_and_exit+0x20/0x20
[   89.147499]  </TASK>
[   89.147579] Modules linked in: 9p fscache netfs 9pnet_virtio 9pnet virtio_console ext4
[   89.504161] ---[ end trace 0000000000000000 ]---
[   89.504250] RIP: 0010:0xffffffffc040d0b2
[   89.511174] note: ml_kthread: w/0[200] exited with irqs disabled`;

const WARNING = `\
[   90.997598] ------------[ cut here ]------------
[   90.997747] WARNING: CPU: 1 PID: 506 at kernel/module/main.c:857 module_put+0x8b/0x90
[   91.001047] Modules linked in: ml_backend(OE-) ml_reg(OE) 9p
[   91.001750] CPU: 1 PID: 506 Comm: cat Tainted: G           OE      6.1.0-56-amd64 #1  Debian 6.1.192-2
[   91.006365] RIP: 0010:module_put+0x8b/0x90
[   91.007169] RAX: 0000000000000000 RBX: ffffffffc0414000 RCX: c0000000ffffefff
[   91.008508] Call Trace:
[   91.008605]  <TASK>
[   91.012916]  ml_reg_use.cold+0x48/0xe72 [ml_reg]
[   91.013199]  vfs_read+0xa2/0x310
[   91.013367]  ? do_user_addr_fault+0x1b0/0x570
[   91.013508]  entry_SYSCALL_64_after_hwframe+0x6e/0xd8
[   91.013612] RIP: 0033:0x7fc75eba62ad
[   91.014859]  </TASK>
[   91.014927] ---[ end trace 0000000000000000 ]---`;

describe('a report in the kernel log', () => {
  it('is one event for an oops, with task, address and instruction', () => {
    const { events, facts } = read(OOPS);
    expect(facts).toEqual({ clock: 'time', kernel: '6.1.0-56-amd64', aside: true });
    expect(events).toEqual([
      {
        kind: 'kernel_fault',
        seq: 0,
        input: 0,
        line: 2,
        ts: 89_141_234_000,
        cpu: 1,
        pid: 200,
        comm: 'ml_kthread: w/0',
        context: 'task',
        what: 'oops',
        message: 'BUG: unable to handle page fault for address: ffffffffc040d0b2',
        address: '0xffffffffc040d0b2',
        at: { text: '0xffffffffc040d0b2', address: '0xffffffffc040d0b2' },
      },
    ]);
  });

  it('is one event for a WARN, with the frames the unwinder is sure of', () => {
    const event = readOne(WARNING);
    expect(event).toMatchObject({
      line: 2,
      cpu: 1,
      pid: 506,
      comm: 'cat',
      what: 'warn',
      message: 'WARNING: CPU: 1 PID: 506 at kernel/module/main.c:857 module_put+0x8b/0x90',
      at: { text: 'module_put+0x8b/0x90', symbol: 'module_put', offset: 0x8b },
    });
    expect(event.address).toBeUndefined();
    expect(event.stack).toEqual([
      'ml_reg_use.cold+0x48/0xe72 [ml_reg]',
      'vfs_read+0xa2/0x310',
      'entry_SYSCALL_64_after_hwframe+0x6e/0xd8',
    ]);
  });

  // Invented: the second has come again since.
  it.each([
    ['Modules linked in: bar(OE) baz [last unloaded: foo(OE)]', 'foo'],
    ['Modules linked in: bar(OE) foo(OE+) [last unloaded: foo(OE)]', undefined],
    ['Modules linked in: bar(OE)', undefined],
  ])('tells which module is gone: %s', (modules, gone) => {
    const { lastUnloaded } = readOne(`${OOPS.split('\n').slice(0, 5).join('\n')}\n[   89.143000] ${modules}`);
    expect(lastUnloaded).toBe(gone);
  });

  it('knows its task although the log ends before the call trace', () => {
    expect(readOne(OOPS.split('\n').slice(0, 5).join('\n'))).toMatchObject({ pid: 200, what: 'oops' });
    expect(readOne(WARNING.split('\n').slice(0, 2).join('\n'))).toMatchObject({
      pid: 506,
      cpu: 1,
      comm: '<...>',
    });
  });

  it('tells the kernel from the report when the log begins later', () => {
    expect(read(WARNING).facts).toEqual({ clock: 'time', kernel: '6.1.0-56-amd64', aside: true });
  });

  // The first line of a WARN as kernel/panic.c of Linux 6.19 prints it; invented values.
  it('names the task in its first line since 6.19', () => {
    expect(
      readOne('[   90.997747] WARNING: kernel/module/main.c:857 at module_put+0x8b/0x90, CPU#1: a/b: c/506'),
    ).toMatchObject({ cpu: 1, pid: 506, comm: 'a/b: c', at: { symbol: 'module_put' } });
  });

  it('has the user before the task since 6.12, and kdump’s state behind it', () => {
    const later = WARNING.replace('PID: 506 Comm: cat', 'UID: 0 PID: 506 Comm: cat Kdump: loaded');
    expect(readOne(later)).toMatchObject({ pid: 506, comm: 'cat' });
  });

  it.each([
    [
      'general protection fault, probably for non-canonical address 0xdead000000000122: 0000 [#1] PREEMPT SMP',
      'oops',
      '0xdead000000000122',
    ],
    ['Oops: general protection fault, maybe for address 0xffff8880: 0000 [#1] SMP', 'oops', undefined],
    ['BUG: kernel NULL pointer dereference, address: 0000000000000008', 'oops', '0x0000000000000008'],
    ['BUG: unable to handle kernel paging request at ffffffffc04120fe', 'oops', '0xffffffffc04120fe'],
    ['Unable to handle kernel paging request at virtual address ffff80000104a0b2', 'oops', undefined],
    ['kernel BUG at mm/vmalloc.c:2733!', 'oops', undefined],
    ['invalid opcode: 0000 [#1] PREEMPT SMP NOPTI', 'oops', undefined],
    ['Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b', 'oops', undefined],
    ['BUG: scheduling while atomic: a/b c/17/0x00000002', 'warn', undefined],
    ['BUG: sleeping function called from invalid context at mm/vmalloc.c:2733', 'warn', undefined],
    ['watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [cat:17]', 'warn', undefined],
    ['WARNING: possible circular locking dependency detected', 'warn', undefined],
  ])('begins with %s', (message, what, address) => {
    const event = readOne(`[   12.345678] ${message}`);
    expect(event).toMatchObject({ message, what });
    if (address !== undefined) expect(event.address).toBe(address);
    if (message.includes('17')) expect(event.pid).toBe(17);
  });

  it.each([
    'mydrv: BUG: somebody forgot something',
    'WARNING: mydrv is deprecated',
    'mydrv: WARNING: CPU: 1 PID: 506 at x.c:1 f+0x1/0x2',
    'Kernel panic - not syncing: Fatal exception',
    'Modules linked in: a b',
    '    rmmod-421       1d.... 79862163us : console: BUG: unable to handle page fault',
  ])('does not begin with %s', (message) => {
    expect(read(`[   12.345678] ${message}`).events).toEqual([]);
  });

  // Invented from KASAN's format in mm/kasan/report.c.
  it('of a sanitizer is survived, and says what was accessed', () => {
    expect(
      readOne(`\
[   12.345678] ==================================================================
[   12.345679] BUG: KASAN: use-after-free in mydrv_show+0x1f/0x40 [mydrv]
[   12.345680] Read of size 8 at addr ffff888001234567 by task a b/17
[   12.345682] CPU: 0 PID: 17 Comm: a b Not tainted 6.1.0 #1
[   12.345683] Call Trace:
[   12.345684]  <TASK>
[   12.345685]  mydrv_show+0x1f/0x40 [mydrv 0123456789abcdef0123456789abcdef01234567]
[   12.345686]  </TASK>
[   12.345687] Allocated by task 16:
[   12.345688]  kasan_save_stack+0x1e/0x40`),
    ).toMatchObject({
      what: 'warn',
      pid: 17,
      comm: 'a b',
      address: '0xffff888001234567',
      at: { symbol: 'mydrv_show', module: 'mydrv' },
      stack: ['mydrv_show+0x1f/0x40 [mydrv]'],
    });
  });

  // Invented from arch/arm64/kernel/traps.c.
  it('is read from arm64, too', () => {
    expect(
      readOne(`\
[   12.345678] Unable to handle kernel paging request at virtual address ffff80000104a0b2
[   12.345679] Mem abort info:
[   12.345680] Internal error: Oops: 0000000086000007 [#1] SMP
[   12.345681] Modules linked in: mydrv(O)
[   12.345682] CPU: 0 PID: 17 Comm: cat Tainted: G           O       6.1.0 #1
[   12.345683] pc : mydrv_show+0x1f/0x40 [mydrv]
[   12.345684] lr : vfs_read+0xa2/0x310
[   12.345685] Call trace:
[   12.345686]  mydrv_show+0x1f/0x40 [mydrv]
[   12.345687]  vfs_read+0xa2/0x310 (P)
[   12.345688] Code: 97fffd12 910003fd
[   12.345689] ---[ end trace 0000000000000000 ]---`),
    ).toMatchObject({
      line: 1,
      pid: 17,
      context: 'unknown',
      address: '0xffff80000104a0b2',
      at: { symbol: 'mydrv_show', module: 'mydrv' },
      stack: ['mydrv_show+0x1f/0x40 [mydrv]', 'vfs_read+0xa2/0x310'],
    });
  });

  it.each([
    [
      [
        'mydrv_fire+0x1/0x2 [mydrv]',
        'call_timer_fn+0x1/0x2',
        '__do_softirq+0x1/0x2',
        '__sysvec_apic_timer_interrupt+0x1/0x2',
      ],
      'softirq',
    ],
    [
      [
        'mydrv_fire+0x1/0x2 [mydrv]',
        'hrtimer_interrupt+0x1/0x2',
        '__sysvec_apic_timer_interrupt+0x1/0x2',
        '__do_softirq+0x1/0x2',
      ],
      'hardirq',
    ],
    [['mydrv_fire+0x1/0x2 [mydrv]'], 'unknown'],
  ])('from an interrupt is told by its frames: %s', (frames, context) => {
    const trace = [
      'Call Trace:',
      ' <IRQ>',
      ...frames.map((frame) => ` ${frame}`),
      ' </IRQ>',
      ' <TASK>',
      ' </TASK>',
    ];
    const text = [...WARNING.split('\n').slice(0, 6), ...trace.map((line) => `[   91.008508] ${line}`)].join(
      '\n',
    );
    expect(readOne(text)).toMatchObject({ context, stack: frames });
  });

  it('is told apart from another CPU’s by the caller that printk names', () => {
    const woven = OOPS.split('\n')
      .slice(1, 7)
      .flatMap((line, i) => [
        line.replace('] ', '][  T200] '),
        (WARNING.split('\n')[i] ?? '').replace('] ', '][    C1] '),
      ]);
    expect(read(woven.join('\n')).events).toMatchObject([
      { what: 'oops', pid: 200 },
      { what: 'warn', pid: 506 },
    ]);
  });

  it('stays one when a hostile comm imitates the rest of its line', () => {
    const text = WARNING.replace('Comm: cat', 'Comm: x Not tainted');
    expect(readOne(text)).toMatchObject({ comm: 'x Not tainted', pid: 506 });
  });
});

describe('a hung task', () => {
  // Linux 6.1, dmesg; shortened.
  const HUNG = `\
[  131.552570] INFO: task rmmod:433 blocked for more than 10 seconds.
[  131.553018]       Tainted: G           OE      6.1.0-56-amd64 #1 Debian 6.1.192-2
[  131.553224] "echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.
[  131.553423] task:rmmod           state:D stack:0     pid:433   ppid:142    flags:0x00004006
[  131.553781] Call Trace:
[  131.553918]  <TASK>
[  131.554050]  __schedule+0x34d/0xa00
[  131.554411]  ? usleep_range_state+0x90/0x90
[  131.554588]  ml_stuck_exit+0x98/0xf0e [ml_stuck]
[  131.554703]  __do_sys_delete_module+0x1b6/0x330
[  131.556755] RIP: 0033:0x7f621b6ad357
[  131.561756]  </TASK>`;

  it('is that task waiting, not a fault', () => {
    const { events } = read(HUNG);
    expect(events).toEqual([
      expect.objectContaining({
        kind: 'hung_task',
        ts: 131_552_570_000,
        line: 1,
        comm: 'rmmod',
        pid: 433,
        cpu: -1,
        context: 'task',
        seconds: 10,
        stack: [
          '__schedule+0x34d/0xa00',
          'ml_stuck_exit+0x98/0xf0e [ml_stuck]',
          '__do_sys_delete_module+0x1b6/0x330',
        ],
      }),
    ]);
  });

  it('keeps a comm that holds colons', () => {
    const { events } = read('[    1.000000] INFO: task a: b:7:433 blocked for more than 120 seconds.');
    expect(events).toEqual([
      expect.objectContaining({ kind: 'hung_task', comm: 'a: b:7', pid: 433, seconds: 120 }),
    ]);
  });
});

describe('what stands before a message', () => {
  const message = 'BUG: unable to handle page fault for address: ffffffffc040d0b2';
  const kernelTime = 89_141_234_000;

  it.each([
    ['', '[   89.141234] '],
    ['CONFIG_PRINTK_CALLER', '[   89.141234][  T200] '],
    ['an interrupt', '[   89.141234][    C1] '],
    ['dmesg -r', '<1>[   89.141234] '],
    ['dmesg -x', 'kern  :alert : [   89.141234] '],
    ['dmesg -d', '[   89.141234 <    0.000346>] '],
    ['colours', '\x1b[32m[   89.141234] \x1b[0m\x1b[31m'],
    ['/dev/kmsg', '1,1034,89141234,-;'],
    ['/dev/kmsg with a caller', '1,1034,89141234,-,caller=T200;'],
    ['syslog', 'Nov 20 08:59:41 host kernel: [   89.141234] '],
    ['RFC 3339', '2026-11-20T08:59:41.109443+00:00 host kernel: [   89.141234] '],
    ['journalctl -o short-monotonic', '[   89.141234] host kernel: '],
    ['a boot loader', 'Probing EDD (edd=off to disable)... o\x1bc\x1b[?7l\x1b[2J[   89.141234] '],
  ])('is taken off: %s', (_, prefix) => {
    const { events, facts } = read(`${prefix}${message}\r`);
    expect(events).toMatchObject([{ ts: kernelTime, message }]);
    expect(facts).toEqual({ clock: 'time', aside: true });
  });

  it.each([
    ['dmesg -T', '[Fri Nov 20 08:59:38 2026] ', '[Fri Nov 20 08:59:41 2026] '],
    ['dmesg -e', '[Nov20 08:59] ', '[  +3.000000] '],
    ['dmesg --time-format iso', '2026-11-20T08:59:38,109443+00:00 ', '2026-11-20T08:59:41,109443+00:00 '],
    ['journalctl', 'Nov 20 08:59:38 host kernel: ', 'Nov 20 08:59:41 host kernel: '],
    ['journalctl -o short-unix', '1795164578.108567 host kernel: ', '1795164581.108567 host kernel: '],
    [
      'journalctl -o short-iso',
      '2026-11-20T08:59:38+0000 host kernel: ',
      '2026-11-20T08:59:41+0000 host kernel: ',
    ],
  ])('may be a time of day, which counts from the first message: %s', (_, first, second) => {
    const { events, facts } = read(`${first}ACPI: bus type PCI registered\n${second}${message}`);
    expect(events).toMatchObject([{ ts: 3e9, message }]);
    expect(facts).toEqual({ clock: 'relative', aside: true });
  });

  it.each([
    ['dmesg -r', '<12>[   89.141234] '],
    ['dmesg -x', 'user  :notice: [   89.141234] '],
    ['/dev/kmsg', '12,1034,89141234,-;'],
    ['syslog', 'Nov 20 08:59:41 host systemd[1]: '],
  ])('shows what user space wrote, which is no report: %s', (_, prefix) => {
    expect(read(`[    0.000000] Linux version 6.1.0 (x)\n${prefix}${message}`).events).toEqual([]);
  });

  it('is missing where user space wrote to the console', () => {
    expect(read(`[    0.000000] Linux version 6.1.0 (x)\n${message}`).events).toEqual([]);
  });

  it('may be missing altogether, and then there is no clock', () => {
    const bare = WARNING.replaceAll(/^\[.*?\] /gm, '');
    const { events, facts } = read(bare);
    expect(events).toMatchObject([{ ts: 0, pid: 506 }]);
    expect(facts).toMatchObject({ clock: 'none' });
    expect(kernelLog.sniff(bare)).toBe(true);
  });
});

describe('recognising a kernel log', () => {
  it('takes boot loader noise and a cut last line', () => {
    expect(kernelLog.sniff(`\x1bc\x1b[2JSeaBIOS (version 1.16.2)\r\nBooting from ROM...\r\n${OOPS}`)).toBe(
      true,
    );
    expect(kernelLog.sniff(OOPS.slice(0, 300))).toBe(true);
  });

  it('takes a journal in which the kernel is one of many', () => {
    expect(
      kernelLog.sniff(
        'Nov 20 08:59:38 host systemd[1]: Started x.\nNov 20 08:59:38 host kernel: ACPI: x\nNov 20 08:59:39 host sshd[9]: y\n',
      ),
    ).toBe(true);
  });

  it.each([
    ['a journal without the kernel', 'Nov 20 08:59:38 host systemd[1]: Started x.\n'],
    ['a trace', '           rmmod-421     [001] .....    91.300782: module_free: loop\n'],
    [
      'a trace of printk',
      ' w/0-200     [001] d....    91.733511: console: BUG: unable to handle page fault\n',
    ],
    ['a text that mentions an oops', 'BUG: unable to handle page fault for address: ffffffffc040d0b2\n'],
    ['nothing', ''],
  ])('leaves %s alone', (_, text) => {
    expect(kernelLog.sniff(text)).toBe(false);
  });
});

// The same crash with what it dumped, most of it left out.
const DUMP = `\
[   89.148296] Dumping ftrace buffer:
[   89.148376] ---------------------------------
[   89.438115] ml_kthre-200       1..... 75240586us : ml_kthread_step: (0xffffffffc040d040)
[   89.494096]    rmmod-421       1..... 79948062us : module_free: ml_kthread
[   89.503761] ---------------------------------`;

const DUMPED = OOPS.replace(/(?=\n.*---\[ end trace)/, `\n${DUMP}`);
const ORDER = ['function_entry', 'module_free', 'kernel_fault'];
const kinds = (text: string) => read(text).events.map(({ kind }) => kind);

describe('the ring buffer dumped by a crash', () => {
  it('is read, and comes before the crash that dumped it', () => {
    const { events, lost, bad, facts } = read(DUMPED);
    expect({ lost, bad }).toEqual({ lost: [], bad: [] });
    expect(facts).toMatchObject({ clock: 'time', aside: true, reading: { dumped: 2 } });
    expect(events.map(({ kind, ts, pid }) => [kind, ts, pid])).toEqual([
      ['function_entry', 89_141_234_000 - (79_948_062_000 - 75_240_586_000), 200],
      ['module_free', 89_141_234_000, 421],
      ['kernel_fault', 89_141_234_000, 200],
    ]);
  });

  // From here on, the lines were changed by hand.
  it('is read behind every prefix, in a log without times, too', () => {
    expect(kinds(DUMPED.replaceAll(/^\[ *([\d.]+)\]/gm, '[$1][  T200]'))).toEqual(ORDER);
    const bare = read(DUMPED.replaceAll(/^\[ *[\d.]+\] /gm, ''));
    expect(bare.events.map(({ kind, ts }) => [kind, ts > 0])).toEqual(ORDER.map((kind) => [kind, true]));
    expect(bare.facts.clock).toBe('relative');
  });

  it('may have other messages between its records', () => {
    const between = '[   89.500000] usb 1-1: new device\nwritten by a shell\n';
    expect(kinds(DUMPED.replace(/(?=.*module_free)/, between))).toEqual(ORDER);
    expect(kinds(DUMPED.replace(/(?=.*module_free)/, `${WARNING}\n`)).sort()).toEqual(
      [...ORDER, 'kernel_fault'].sort(),
    );
  });

  it('loses what the console dropped, tears or does not come to print', () => {
    const dropped = read(DUMPED.replace(/(?=.*module_free)/, '** 12 printk messages dropped **\n'));
    expect(dropped.lost).toEqual([{ count: 12, where: 'before', line: 17 }]);
    const torn = read(DUMPED.replace('8062us : module_free: ml_kthread', '[ 89.600000] usb 1-1: new device'));
    expect(torn.bad.map(({ line }) => line)).toEqual([17]);
    const cut = read(DUMPED.split('\n').slice(0, -4).join('\n'));
    expect(cut.events.map(({ kind }) => kind)).toEqual(ORDER);
    expect(cut.lost).toEqual([{ where: 'before', line: 17 }]);
  });

  it('is one buffer: another has a clock of its own', () => {
    const again = DUMP.replace('ftrace buffer', 'ftrace instance other buffer');
    const { events, lost } = read(`${DUMPED}\n${again}`);
    expect(events.map(({ kind }) => kind)).toEqual(ORDER);
    expect(lost).toMatchObject([{ count: 2, where: 'anywhere' }]);
  });

  it('may be empty', () => {
    const empty = DUMPED.replace(/---------------------------------(?:\n.*){3}/, '   (ftrace buffer empty)');
    expect(kinds(empty)).toEqual(['kernel_fault']);
  });
});

it('reads any bytes without complaint', () => {
  const seeds = `${DUMPED}\n${WARNING}`;
  let state = 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state % below;
  };
  for (let round = 0; round < 300; round++) {
    const bytes = Buffer.from(seeds);
    for (let i = 0; i < 20; i++) bytes[random(bytes.length)] = random(256);
    const cut = bytes.subarray(random(bytes.length)).toString('latin1');
    kernelLog.sniff(cut);
    read(cut);
  }
});
