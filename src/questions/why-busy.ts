/** Why a module cannot be unloaded, whether that will pass, and what to do. */
import type { JudgedHolder, Patience, UnloadAttempt, WhyBusyAnswer } from '../model/answers.ts';
import type { Event } from '../model/event.ts';
import type { Finding, InputSummary, RuleId } from '../model/report.ts';
import type { OpenReference, Standings } from '../model/standing.ts';
import { duration } from '../passes/make-finding.ts';
import { rules } from '../passes/rules.ts';
import { findModule, held, placeOf } from './held.ts';

/** Rules that speak of why a module stays or of an unload that does not end. */
const RELEVANT: ReadonlySet<RuleId> = new Set([
  'ref-leak',
  'stuck-unload',
  'busy-unload',
  'put-without-get',
  'put-after-failed-get',
  'forced-unload',
]);

/** They leave the count lower than what is out. */
const PUTS_TOO_MANY: ReadonlySet<RuleId> = new Set(['put-without-get', 'put-after-failed-get']);

/** Held so much longer than the longest that came back, a reference is not on its way back. */
const TIMES_LONGER = 20;

export function whyBusy(wanted: string, standings: Standings): WhyBusyAnswer {
  const { inputs, modules, findings: all } = standings.report();
  const module = findModule(modules, wanted);
  const standing = standings.standing(module);
  const now = held(standing, standings.last() ?? 0, inputs);
  const findings = all.filter((finding) => finding.module === module && RELEVANT.has(finding.rule));
  const current = findings.filter((finding) => finding.incarnation === standing.nth);
  const holders = now.holders.map(
    (holder, index): JudgedHolder => ({ ...holder, ...judge(standing.open[index]!, holder.age, current) }),
  );
  const verdict = verdictOf(now.state, now.count, holders, current);
  return {
    type: 'why-busy',
    ...now,
    verdict,
    holders,
    attempts: attemptsOf(inputs, findings, standings.frees(module)),
    findings: findings.filter(({ rule }) => rule !== 'busy-unload'),
    steps: stepsOf(module, verdict, holders, now.unseen, current),
  };
}

function judge(
  { place, family, missedBy }: OpenReference,
  age: number,
  findings: readonly Finding[],
): { patience: Patience; reason: string } {
  if (missedBy !== undefined) {
    return {
      patience: 'leaked',
      reason: `${missedBy}(), which gives it back elsewhere, returned without doing so`,
    };
  }
  const leak = findings.find(({ rule, culprit }) => rule === 'ref-leak' && culprit.symbol === place.symbol);
  if (leak?.certainty === 'observed') return { patience: 'leaked', reason: leak.title };
  if (family === 'gone')
    return { patience: 'lasting', reason: 'what took it has been freed without giving it back' };
  if (family === 'tracer')
    return { patience: 'transient', reason: 'dropped when the probe is attached or the tracer ends' };
  if (family === 'init') return { patience: 'transient', reason: 'dropped when init() returns' };
  if (family === 'dependency')
    return { patience: 'lasting', reason: 'until the module that links to it is removed' };
  const suspicion = leak === undefined ? '' : '; analyze suspects a leak';
  if (place.puts > 0) {
    const others = place.puts === 1 ? 'the other one' : `the ${place.puts} others`;
    const back = `${others} from ${place.name} came back within ${duration(place.longestHold)}`;
    return age <= place.longestHold * TIMES_LONGER
      ? { patience: 'transient', reason: back }
      : { patience: 'lasting', reason: `${back}; this one is ${duration(age)} old${suspicion}` };
  }
  if (family === 'file') return { patience: 'lasting', reason: `until the file is closed${suspicion}` };
  return {
    patience: leak === undefined ? 'unknown' : 'lasting',
    reason: `no reference from there has come back in this capture${suspicion}`,
  };
}

const WORST: readonly Patience[] = ['leaked', 'lasting', 'unknown', 'transient'];

function verdictOf(
  state: string,
  count: number,
  holders: readonly JudgedHolder[],
  findings: readonly Finding[],
): WhyBusyAnswer['verdict'] {
  if (state === 'freed') return 'freed';
  if (findings.some(({ rule }) => rule === 'stuck-unload')) return 'stuck';
  if (count === 0) return 'idle';
  if (holders.length === 0) return 'unknown';
  return WORST.find((patience) => holders.some((holder) => holder.patience === patience)) ?? 'unknown';
}

function attemptsOf(
  inputs: readonly InputSummary[],
  findings: readonly Finding[],
  frees: readonly Event[],
): UnloadAttempt[] {
  const attempts: UnloadAttempt[] = [];
  for (const { rule, at, title, detail, culprit, evidence } of findings) {
    const place = { ns: at.ns, at: placeOf(inputs, at) };
    if (rule === 'busy-unload') {
      const { task } = evidence.at(-1)!;
      attempts.push({ outcome: 'refused', ...place, task, text: detail });
    } else if (rule === 'stuck-unload') {
      const task = culprit.task;
      attempts.push({
        outcome: 'stuck',
        ...place,
        ...(task === undefined ? {} : { task }),
        text: `${title}. ${detail}`,
      });
    }
  }
  for (const free of frees) {
    attempts.push({
      outcome: 'freed',
      ns: free.ts,
      at: placeOf(inputs, free),
      task: { comm: free.comm, pid: free.pid },
      text: 'the unload went through',
    });
  }
  return attempts.sort((a, b) => a.ns - b.ns);
}

function stepsOf(
  module: string,
  verdict: WhyBusyAnswer['verdict'],
  holders: readonly JudgedHolder[],
  unseen: number,
  findings: readonly Finding[],
): string[] {
  const steps = new Set<string>();
  if (verdict === 'freed') return ['Nothing: it is gone.'];
  if (verdict === 'idle' && findings.some(({ rule }) => PUTS_TOO_MANY.has(rule))) {
    steps.add(
      'Leave it alone and restart the machine when you can: a put too many took a reference away, so rmmod may free it under its user, or crash on a count below zero.',
    );
    steps.add(`In the source: ${rules['put-without-get'].fix.text}`);
  } else if (verdict === 'idle') {
    steps.add(`Try again: by this capture rmmod ${module} would be let in.`);
    steps.add(
      'If it is refused all the same, record again until after the refusal and ask about that capture.',
    );
  }
  const stuck = findings.find(({ rule }) => rule === 'stuck-unload');
  if (stuck !== undefined) {
    const pid = stuck.culprit.task?.pid;
    if (pid !== undefined) steps.add(`See where it waits: cat /proc/${pid}/stack (as root).`);
    steps.add('It cannot be killed while it waits: what it waits for must end, or the machine restart.');
    steps.add(`In the source: ${stuck.fix.text}`);
  }
  for (const { family, patience, task, dependent } of holders) {
    if (patience === 'leaked') {
      steps.add('Nothing in user space can give it back: the module stays until reboot.');
      steps.add(`In the source: ${rules['ref-leak'].fix.text}`);
    } else if (family === 'gone') {
      steps.add('What took it is gone: unless somebody else gives it back, the module stays until reboot.');
      steps.add(`In the source: ${rules['ref-leak'].fix.text}`);
    } else if (family === 'dependency') {
      steps.add(
        `Remove what links to it first: modprobe -r ${dependent ?? `(see lsmod, "Used by" of ${module})`}.`,
      );
    } else if (patience === 'transient') {
      steps.add(`Wait for it: modprobe -r --wait 10000 ${module} (milliseconds; kmod 30 or later).`);
    } else if (family === 'file') {
      steps.add(
        `Let ${task.comm}/${task.pid} close the file: ls -l /proc/${task.pid}/fd; fuser -v on the device node.`,
      );
    } else {
      steps.add(
        `Stop what ${task.comm}/${task.pid} does with it: unmount, take the interface down, remove the device.`,
      );
    }
  }
  if (unseen > 0) {
    steps.add(
      `${unseen === 1 ? 'One reference was' : `${unseen} references were`} taken before the capture began: record from before the load of ${module} to see by whom.`,
    );
  }
  return [...steps];
}
