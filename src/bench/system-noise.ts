/** What a system-wide capture holds besides module events: scheduling, interrupts, timers. */
import type { Random } from './random.ts';
import type { Task, TraceText } from './trace-text.ts';

const IDLE: Task = { comm: '<idle>', pid: 0 };
const TASKS: readonly Task[] = [
  ...['rcu_preempt-17', 'ksoftirqd/1-23', 'kworker/u8:2-91', 'kworker/0:1H-62', 'jbd2/vda1-8-211'],
  ...['systemd-journal-262', 'containerd-shim-1190', 'postgres-1402', 'nginx-1533', 'cc1plus-48211'],
].map((text) => {
  const at = text.lastIndexOf('-');
  return { comm: text.slice(0, at), pid: Number(text.slice(at + 1)) };
});

export function createNoise(trace: TraceText, random: Random): { step(): void } {
  const address = () => `00000000${(random.below(4096) * 0x9e3b1 + 0x10000000).toString(16).slice(0, 8)}`;
  const some = () => TASKS[random.below(TASKS.length)]!;
  const task = () => (random.below(3) === 0 ? IDLE : some());

  function scheduling(): void {
    const from = task();
    const to = some();
    const woken = some();
    switch (random.below(5)) {
      case 0:
        trace.record(
          from,
          'd.h1.',
          `sched_waking: comm=${woken.comm} pid=${woken.pid} prio=120 target_cpu=001`,
        );
        return;
      case 1:
        trace.record(
          from,
          'dNh2.',
          `sched_wakeup: comm=${woken.comm} pid=${woken.pid} prio=120 target_cpu=001`,
        );
        return;
      case 2:
        trace.record(
          from,
          'd..2.',
          `sched_stat_runtime: comm=${from.comm} pid=${from.pid} runtime=${random.below(1e6)} [ns] vruntime=${random.below(1e9)} [ns]`,
        );
        return;
      default:
        trace.record(
          from,
          'd..2.',
          `sched_switch: prev_comm=${from.comm} prev_pid=${from.pid} prev_prio=120 prev_state=S ==> next_comm=${to.comm} next_pid=${to.pid} next_prio=120`,
        );
    }
  }

  function interrupt(): void {
    const whose = task();
    const lines: readonly [string, string][] = [
      ['d.h1.', 'irq_handler_entry: irq=24 name=virtio0-req.0'],
      ['d.h1.', 'irq_handler_exit: irq=24 ret=handled'],
      ['d.h1.', 'softirq_raise: vec=1 [action=TIMER]'],
      ['..s1.', 'softirq_entry: vec=1 [action=TIMER]'],
      ['..s1.', 'softirq_exit: vec=1 [action=TIMER]'],
    ];
    trace.record(whose, ...lines[random.below(lines.length)]!);
  }

  function timer(): void {
    const whose = task();
    const at = address();
    const lines: readonly [string, string][] = [
      [
        'd..1.',
        `timer_start: timer=${at} function=process_timeout expires=4294938250 [timeout=250] cpu=1 idx=121 flags=`,
      ],
      ['..s1.', `timer_expire_entry: timer=${at} function=process_timeout now=4294938250 baseclk=4294938250`],
      ['..s1.', `timer_expire_exit: timer=${at}`],
      ['d..1.', `timer_cancel: timer=${at}`],
      [
        'd.h1.',
        `hrtimer_start: hrtimer=${at} function=tick_sched_timer expires=9368000000 softexpires=9368000000 mode=ABS`,
      ],
      ['d.h1.', `hrtimer_expire_entry: hrtimer=${at} function=tick_sched_timer now=9368002381`],
      ['d.h1.', `hrtimer_expire_exit: hrtimer=${at}`],
      ['d.h1.', `hrtimer_cancel: hrtimer=${at}`],
    ];
    trace.record(whose, ...lines[random.below(lines.length)]!);
  }

  return {
    step() {
      trace.pass(200 + random.below(4_000));
      const which = random.below(10);
      if (which < 5) scheduling();
      else if (which < 7) interrupt();
      else timer();
    },
  };
}
