/** SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/): what code scanning of a forge reads. */
import type {
  Artifact,
  ArtifactLocation,
  CodeFlow,
  Location,
  Log,
  Message,
  Notification,
  ReportingDescriptor,
  Result,
  StackFrame,
  ThreadFlowLocation,
} from 'sarif';
import type { RuleAnswer } from '../model/answers.ts';
import { type Bar, provesNothing } from '../model/bar.ts';
import type { Evidence, Finding, InputSummary, Report, RuleId } from '../model/report.ts';
import { renderRule } from './explain.ts';
import { toJson } from './json.ts';
import { plural } from './layout.ts';
import { printable } from './printable.ts';
import { cutOff } from './reading-notes.ts';
import { ruleMarkdown } from './rule-markdown.ts';
import { emptySilence } from './silence.ts';
import { eventInWords } from './text.ts';

const SCHEMA = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json';

/** Percent, as SARIF's rank wants it: how much a reader should make of it. */
const RANK: Readonly<Record<Finding['certainty'], number>> = { observed: 100, predicted: 60, possible: 30 };

/** @param rules every rule there is, in the order of the report's passes */
export function toSarif(report: Report, rules: readonly RuleAnswer[], bar: Bar): string {
  const order = rules.map(({ rule }) => rule);
  const log: Log = {
    $schema: SCHEMA,
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: report.tool.name,
            version: report.tool.version,
            semanticVersion: report.tool.version,
            rules: rules.map(descriptor),
            notifications: Object.entries(NOTIFICATIONS).map(([id, text]) => ({
              id,
              shortDescription: { text },
            })),
          },
        },
        invocations: [
          {
            // What the format asks for is whether the tool did its job, whatever it found.
            executionSuccessful: !provesNothing(report, bar),
            toolExecutionNotifications: notifications(report, order, bar),
          },
        ],
        artifacts: report.inputs.map(artifact),
        results: report.findings.map((finding) => result(finding, report.inputs, order)),
        columnKind: 'utf16CodeUnits',
      },
    ],
  };
  return toJson(log);
}

function descriptor(answer: RuleAnswer): ReportingDescriptor {
  return {
    id: answer.rule,
    shortDescription: { text: `${answer.flags}.` },
    fullDescription: { text: `${answer.flags}. From ${answer.from}.` },
    help: { text: renderRule(answer, { width: 80, color: false }), markdown: ruleMarkdown(answer) },
    properties: { tags: ['linux-kernel', 'module-lifetime'] },
  };
}

const NOTIFICATIONS = {
  'rule-not-run': 'a rule could not be asked, as the capture lacks its events',
  'events-lost': 'the tracer lost events',
  'lines-unreadable': 'lines of the capture could not be read',
  'suppression-idle': 'a suppression has expired or suppresses nothing',
  'cut-off': 'the file ends before its end',
  'proves-nothing': 'the capture is too damaged, or has too little in it, for silence to mean anything',
} as const;

/** What was not asked cannot have been answered, and what was lost may have been it. */
function notifications(report: Report, order: readonly RuleId[], bar: Bar): Notification[] {
  const { passes, inputs, suppressions = [] } = report;
  const notify = (
    id: keyof typeof NOTIFICATIONS,
    level: Notification['level'],
    text: string,
  ): Notification => ({
    descriptor: { id, index: Object.keys(NOTIFICATIONS).indexOf(id) },
    level,
    message: message(text),
  });
  return [
    ...(provesNothing(report, bar) ? [notify('proves-nothing', 'error', `${emptySilence(report)}.`)] : []),
    ...passes
      .filter(({ ran }) => !ran)
      .map(({ rule, because = 'its events are absent' }) => ({
        ...notify('rule-not-run', 'note', `${rule} did not run: ${because}`),
        associatedRule: { id: rule, index: order.indexOf(rule) },
      })),
    ...inputs.flatMap((input, index) => {
      const locations = [{ physicalLocation: { artifactLocation: artifactLocation(input, index) } }];
      return [
        ...cutOff(input).map((text) => ({ ...notify('cut-off', 'warning', text), locations })),
        ...(input.lost === 0
          ? []
          : [{ ...notify('events-lost', 'warning', `${plural(input.lost, 'event')} lost`), locations }]),
        ...(input.bad === 0
          ? []
          : [
              {
                ...notify('lines-unreadable', 'warning', `${plural(input.bad, 'line')} unreadable`),
                locations,
              },
            ]),
      ];
    }),
    ...suppressions
      .filter(({ state }) => state === 'expired' || state === 'unused')
      .map(({ path, line, reason, expires, state }) => ({
        ...notify(
          'suppression-idle',
          'warning',
          `suppression ${state === 'expired' ? `expired on ${expires}` : 'is not used'}: ${reason}`,
        ),
        locations: [
          { physicalLocation: { artifactLocation: { uri: uriOf(path) }, region: { startLine: line } } },
        ],
      })),
  ];
}

function artifact(input: InputSummary, index: number): Artifact {
  return {
    location: artifactLocation(input, index),
    description: {
      text: printable(
        `${input.format} capture${input.kernel === undefined ? '' : ` of Linux ${input.kernel}`}`,
      ),
    },
    properties: { events: input.events, lost: input.lost, unreadable: input.bad },
  };
}

function artifactLocation({ path }: InputSummary, index: number): ArtifactLocation {
  return { uri: path === '-' ? 'stdin' : uriOf(path), index };
}

/** Forges resolve a relative reference against the root of the repository. */
function uriOf(path: string): string {
  const segments = path
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .split('/')
    .map(encodeURIComponent);
  return `${path.startsWith('/') ? 'file://' : ''}${segments.join('/')}`;
}

function result(finding: Finding, inputs: readonly InputSummary[], order: readonly RuleId[]): Result {
  const { rule, severity, certainty, module, culprit, because, race, baseline, suppressed } = finding;
  return {
    ruleId: rule,
    ruleIndex: order.indexOf(rule),
    level: severity,
    rank: RANK[certainty],
    message: message(
      `${module === '*' ? '' : `In ${module}: `}${finding.title}. ${finding.detail}${because === undefined ? '' : ` Doubt: ${because}.`}`,
    ),
    locations: [
      {
        ...place(finding.at, inputs),
        logicalLocations: [
          { name: printable(module), kind: 'module' },
          ...(culprit.symbol === undefined
            ? []
            : [
                {
                  name: printable(culprit.symbol),
                  kind: 'function',
                  fullyQualifiedName: printable(`${culprit.module ?? module}:${culprit.symbol}`),
                },
              ]),
        ],
      },
    ],
    partialFingerprints: { 'modlife/v1': finding.fingerprint },
    codeFlows: [codeFlow(finding, inputs)],
    ...(baseline === undefined ? {} : { baselineState: baseline === 'new' ? 'new' : 'unchanged' }),
    ...(suppressed === undefined
      ? {}
      : {
          suppressions: [
            { kind: 'external', status: 'accepted', justification: printable(suppressed.reason) },
          ],
        }),
    properties: {
      certainty,
      incarnation: finding.incarnation,
      fix: finding.fix.text,
      ...(because === undefined ? {} : { because }),
      ...(race === undefined ? {} : { race }),
    },
  };
}

function place(
  { input, line }: { readonly input: number; readonly line: number },
  inputs: readonly InputSummary[],
): Location {
  const summary = inputs[input];
  if (summary === undefined) return {};
  return {
    physicalLocation: {
      artifactLocation: artifactLocation(summary, input),
      ...(line < 1 ? {} : { region: { startLine: line } }),
    },
  };
}

/** A thread flow for each task, since that is what they are; their events are numbered across all of them. */
function codeFlow({ evidence, title, module }: Finding, inputs: readonly InputSummary[]): CodeFlow {
  const threads = new Map<string, ThreadFlowLocation[]>();
  for (const [index, item] of evidence.entries()) {
    const id = printable(`${item.task.comm}/${item.task.pid}`);
    const locations = threads.get(id) ?? [];
    threads.set(id, locations);
    locations.push(step(item, index + 1, module, inputs));
  }
  return {
    message: message(title),
    threadFlows: [...threads].map(([id, locations]) => ({ id, locations })),
  };
}

function step(
  item: Evidence,
  executionOrder: number,
  module: string,
  inputs: readonly InputSummary[],
): ThreadFlowLocation {
  const { symbol, stack, context, cpu, ns, event } = item;
  return {
    location: {
      ...place(item, inputs),
      message: message(eventInWords(item, module)),
      ...(symbol === undefined ? {} : { logicalLocations: [{ name: printable(symbol), kind: 'function' }] }),
    },
    executionOrder,
    ...(stack === undefined || stack.length === 0 ? {} : { stack: { frames: stack.map(frame) } }),
    properties: { ns, cpu, context, event },
  };
}

function frame(text: string): StackFrame {
  return { location: { logicalLocations: [{ fullyQualifiedName: printable(text), kind: 'function' }] } };
}

/** Braces would be placeholders and `](` the middle of a link (§3.11.5, §3.11.6): a trace writes neither. */
function message(text: string): Message {
  return { text: printable(text).replace(/[{}]/g, '$&$&').replaceAll('](', '] (') };
}
