/** `tail` from its options to its exit status: joins the source, what tells of it, and how it ends. */
import { realpathSync } from 'node:fs';
import { createFlightRecorder } from '../capture/flight-recorder.ts';
import { counts, isDamaged, isFailure } from '../model/bar.ts';
import type { Report, Severity } from '../model/report.ts';
import type { TailLine } from '../model/tail-lines.ts';
import type { LiveKeeper } from '../pipeline/keep-live.ts';
import { createMark, type TriageOptions, triage } from '../questions/triage.ts';
import { toJsonLine } from '../report/json.ts';
import { printable } from '../report/printable.ts';
import { toTailLine } from '../report/tail-line.ts';
import { toText } from '../report/text.ts';
import { createRunner } from '../tail/run-program.ts';
import { type Following, isReadAgain, type Listener } from '../tail/source.ts';
import { tail } from '../tail/tail.ts';
import { createViewMaker } from '../tail/view.ts';
import { EXIT, statusOf } from './exit.ts';
import { type Io, styleOf } from './io.ts';
import { createOutlet } from './outlet.ts';
import { tellReading } from './read.ts';
import { openScreen } from './screen.ts';
import { idleSuppressions } from './triage-options.ts';
import { refuseInput } from './write-aside.ts';

interface Keep {
  readonly seconds: number;
  /** Under that name. @returns where */
  save(name: string, text: readonly Buffer[]): string;
}

interface TailCommand {
  readonly path: string;
  /** How to follow it, where it is no file. */
  readonly follow?: ((listener: Listener) => Following) | undefined;
  /** Of this machine: what is recorded begins anew with each. */
  readonly boot?: string | undefined;
  /** Keep a store there, and go on with what is in it. */
  readonly db?: string | undefined;
  /** Seconds that it holds whole. */
  readonly retain?: number | undefined;
  readonly format: string | undefined;
  readonly onlyNew: boolean | undefined;
  readonly verbose: boolean;
  readonly failOn: Severity | undefined;
  readonly triage: TriageOptions;
  readonly exec: readonly string[] | undefined;
  /** What came last is written away when something goes wrong. */
  readonly keep?: Keep | undefined;
  /** `screen` is `plain` where there is none. */
  readonly shape: 'json' | 'plain' | 'screen';
}

type Told = Exclude<TailLine, { type: 'summary' }>;

/** As much may wait for a slow reader; more of what is no finding is left out and counted. */
const WAITING = 1 << 24;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** @returns the exit status */
export async function runTail(command: TailCommand, io: Io): Promise<number> {
  const { path, follow, db, format, onlyNew, verbose, failOn, exec } = command;
  const keeper = db === undefined ? undefined : await openKeeper(db, command);
  const style = styleOf(io);
  const onScreen = command.shape === 'screen' && io.stdout.isTTY === true;
  const outlet = createOutlet(io, () => following.stop());
  const troubles: string[] = [];
  const runner =
    exec === undefined ? undefined : createRunner(exec, toJsonLine, (trouble) => complain(trouble));
  const mark = createMark(command.triage);
  let failed = false;
  let untold = 0;
  let notice: string | undefined;
  const recorder =
    command.keep === undefined
      ? undefined
      : createFlightRecorder({
          ...command.keep,
          headLines: () => following.reader.headLines,
          say(text) {
            notice = printable(text);
            complain(text);
          },
        });

  function complain(trouble: string): void {
    const line = `modlife: ${printable(trouble)}\n`;
    if (onScreen) troubles.push(line);
    else io.stderr.write(line);
  }

  function write(line: Told): void {
    const clock = following.reader.source?.clock ?? 'none';
    outlet.write(command.shape === 'json' ? toJsonLine(line) : toTailLine(line, clock, style));
  }

  function print(line: Told): void {
    if (outlet.pending > WAITING && line.type !== 'finding' && line.type !== 'withdrawn') {
      untold++;
      return;
    }
    tellUntold();
    write(line);
  }

  function tellUntold(): void {
    if (untold === 0) return;
    const lost = untold;
    untold = 0;
    write({ type: 'gap', reason: 'output', lost, input: 0, line: 0 });
  }

  function tell(told: TailLine): void {
    if (failed || told.type === 'summary') return;
    const line =
      told.type === 'finding' ? { ...told, finding: mark(told.finding, told.provisional === true) } : told;
    recorder?.told(line);
    if (onScreen) views.tell(line);
    else print(line);
    if (line.type !== 'finding' || line.provisional === true || !counts(line.finding)) return;
    runner?.run(line.finding);
    if (failOn !== undefined && isFailure(line.finding, { failOn })) {
      failed = true;
      following.halt();
    }
  }

  const following = tail({ path, follow, format, onlyNew, keeper, tap: recorder, references: verbose, tell });
  const views = createViewMaker(path, following.reader);
  // What an earlier run found is not told again, but shown.
  for (const finding of following.reader.engine.findings)
    views.tell({ type: 'finding', finding: mark(finding, false) });
  const stop = () => following.stop();
  for (const signal of SIGNALS) process.once(signal, stop);
  const screen = onScreen
    ? openScreen({
        io,
        outlet,
        stdinTaken: path === '-',
        view: (selected) => ({ ...views.view(performance.now(), selected), notice }),
        quit: stop,
      })
    : undefined;
  let report: Report;
  try {
    report = triage(await following.ended, command.triage);
  } finally {
    screen?.close();
    recorder?.close();
    keeper?.close();
    // From here on a signal ends it at once.
    for (const signal of SIGNALS) process.off(signal, stop);
  }
  tellUntold();
  outlet.write(command.shape === 'json' ? toJsonLine({ type: 'summary', report }) : toText(report, style));
  await Promise.all([outlet.drained(), runner?.settled()]);
  await tellReading(report.inputs, following.reader.bad, io);
  io.stderr.write(idleSuppressions(report));
  for (const trouble of troubles) io.stderr.write(trouble);
  // What no rule could be asked of may be yet to come: only damage makes it no answer.
  const bar = { failOn: failOn ?? 'error', allowGaps: !isDamaged(report) } as const;
  return failed ? EXIT.findings : statusOf(report, bar);
}

/** Loaded when needed: SQLite is native code. */
async function openKeeper(db: string, { path, boot, retain }: TailCommand): Promise<LiveKeeper> {
  const { keepLive } = await import('../pipeline/keep-live.ts');
  const held = retain === undefined ? undefined : retain * 1e9;
  if (boot !== undefined) return keepLive(db, `this machine, boot ${boot}`, false, held);
  refuseInput(db, [path]);
  const isFile = isReadAgain(path);
  return keepLive(db, isFile ? realpathSync(path) : path, isFile, held);
}
