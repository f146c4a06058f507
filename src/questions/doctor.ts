/** Doctor: which rules can be decided, on a machine or from captures, and what would help with the rest. */
import type { DoctorAnswer, RuleHealth } from '../model/answers.ts';
import { grouped, plural } from '../model/grouped.ts';
import type { Manifest, Plan } from '../model/manifest.ts';
import { type InputSummary, type Report, type RuleId, ruleIds } from '../model/report.ts';

/** What this kernel can show, by the plan that was made for it. */
export function doctorMachine(kernel: string, plan: Plan): DoctorAnswer {
  return {
    type: 'doctor',
    about: `Linux ${kernel}`,
    subject: 'machine',
    rules: ruleIds.map((rule) => healthByPlan(rule, plan)),
    troubles: [],
  };
}

function healthByPlan(rule: RuleId, { missing }: Plan): RuleHealth {
  const bars = missing.filter(({ rules }) => rules.includes(rule));
  const weakens = missing.filter((own) => own.weakens.includes(rule));
  return {
    rule,
    state: bars.length > 0 ? 'no' : weakens.length > 0 ? 'partly' : 'yes',
    reasons: [...bars, ...weakens].map(({ what, because, advice }) => ({
      text: `${what}: ${because}`,
      ...(advice === undefined ? {} : { advice }),
    })),
  };
}

/** What these captures can prove. @param manifests of those that are capture directories */
export function doctorCaptures(report: Report, manifests: readonly Manifest[]): DoctorAnswer {
  return {
    type: 'doctor',
    about: [...new Set(report.inputs.map(({ path, capture = path }) => capture))].join(', '),
    subject: 'captures',
    rules: report.passes.map(({ rule, ran, because = 'its events are absent' }) =>
      ran ? ranHealth(rule, report, manifests) : idleHealth(rule, because, manifests),
    ),
    troubles: [
      ...report.inputs.flatMap(inputTroubles),
      ...letGoTroubles(report),
      ...manifests.flatMap(manifestTroubles),
    ],
  };
}

function ranHealth(rule: RuleId, { inputs }: Report, manifests: readonly Manifest[]): RuleHealth {
  const planned = manifests.map(({ plan }) => healthByPlan(rule, plan)).flatMap(({ reasons }) => reasons);
  const lost = inputs.reduce((sum, input) => sum + input.lost, 0);
  const reasons = [
    ...planned,
    ...(isLogAlone(inputs)
      ? [
          {
            text: "the kernel's log alone tells of harm, not of what led to it: most verdicts are possible at most",
            advice: RECORD[rule] ?? CAPTURE,
          },
        ]
      : []),
    ...(lost === 0 ? [] : [{ text: 'events were lost, so its verdicts are possible at most' }]),
    ...(inputs.some(({ reading }) => reading?.cut !== undefined)
      ? [{ text: 'a file is cut off, so what the rest could overturn is possible at most' }]
      : []),
  ];
  return { rule, state: reasons.length === 0 ? 'yes' : 'partly', reasons };
}

function idleHealth(rule: RuleId, because: string, manifests: readonly Manifest[]): RuleHealth {
  const planned = manifests
    .filter(({ state }) => state !== 'failed')
    .map(({ plan }) => healthByPlan(rule, plan));
  const barred = planned.filter(({ state }) => state === 'no');
  if (barred.length > 0) return { rule, state: 'no', reasons: barred.flatMap(({ reasons }) => reasons) };
  const [absent = because, record = absent] = because.split('; ');
  if (planned.length > 0) {
    return { rule, state: 'no', reasons: [{ text: `recorded, and did not happen: ${absent}` }] };
  }
  return { rule, state: 'no', reasons: [{ text: record, advice: RECORD[rule] ?? CAPTURE }] };
}

/** It tells of what went wrong, and of little that led there. */
function isLogAlone(inputs: readonly InputSummary[]): boolean {
  return (
    inputs.some(({ format }) => format === 'kernel-log') &&
    inputs.every(
      ({ format, reading }) =>
        format === 'kallsyms' || (format === 'kernel-log' && reading?.dumped === undefined),
    )
  );
}

const CAPTURE = 'modlife capture -- COMMAND';
const PROBING = 'modlife capture --module NAME -- COMMAND';
/** Rules that ask for probes on the functions of a module. */
const RECORD: Partial<Record<RuleId, string>> = {
  'release-after-exit': PROBING,
  'text-in-use': PROBING,
  'free-in-interrupt': PROBING,
  'early-put': PROBING,
  'unprotected-get': PROBING,
};

/** A larger buffer, by what recorded. */
const BUFFER: Readonly<Record<string, string>> = {
  tracefs: 'modlife capture --buffer-size 16384, or echo 16384 > buffer_size_kb before recording',
  'trace-cmd': 'trace-cmd record -b 16384',
  'trace-dat': 'trace-cmd record -b 16384',
  'perf-script': 'perf record -m 4096',
  bpftrace: 'BPFTRACE_PERF_RB_PAGES=4096 record.sh …',
};

function inputTroubles({
  path,
  format,
  clock,
  lines,
  lost,
  bad,
  events,
  reading,
}: InputSummary): DoctorAnswer['troubles'] {
  const buffer = BUFFER[format];
  return [
    ...(reading?.cut === undefined
      ? []
      : [
          {
            text: `${path}: cut off after line ${grouped(lines)}: ${reading.cut}`,
            advice: 'fetch it again, or pack it again',
          },
        ]),
    ...(lost === 0
      ? []
      : [
          {
            text: `${path}: ${plural(lost, 'event')} ${lost === 1 ? 'was' : 'were'} lost, beside ${grouped(events)} that were read`,
            ...(buffer === undefined ? {} : { advice: buffer }),
          },
        ]),
    ...(bad === 0 ? [] : [{ text: `${path}: ${plural(bad, 'line')} could not be read` }]),
    ...(clock === 'time' || clock === 'tai' || events === 0
      ? []
      : [
          {
            text: `${path}: its clock tells ${CLOCKS[clock]}, so it cannot be merged with another capture`,
            advice: 'echo mono > trace_clock before recording',
          },
        ]),
  ];
}

function letGoTroubles({ let_go: gone }: Report): DoctorAnswer['troubles'] {
  if (gone === undefined) return [];
  const text = `the store let go of its ${grouped(gone.events)} oldest events: nothing can be asked about their time`;
  return [{ text, advice: 'a longer time for tail --retain' }];
}

const CLOCKS: Readonly<Record<'relative' | 'ticks' | 'none', string>> = {
  relative: 'the time since its own first record',
  ticks: 'order, not time',
  none: 'nothing',
};

function manifestTroubles({ state, notProbed, missed, plan }: Manifest): DoctorAnswer['troubles'] {
  const missing = plan.watched.filter((module) => !plan.probes.some((probe) => probe.module === module));
  return [
    ...(state === 'recording'
      ? [
          {
            text: 'the recorder did not end: it was killed, or the machine went down. What came last is missing',
          },
        ]
      : []),
    ...(state === 'failed' ? [{ text: 'the recorder failed before it was done' }] : []),
    ...missing.map((module) => ({
      text: `no function of ${module} was probed: ${notProbed.find(({ what }) => what.includes(module))?.because ?? 'none can be'}`,
    })),
    ...missed.map(({ name, times }) => ({
      text: `the probe ${name} missed ${times} calls: too many at a time`,
    })),
  ];
}
