/** The ledger as the screen shows it. Asked a few times a second at most. */
import type { Incarnation } from '../lifetime/changes.ts';
import type { Reference } from '../lifetime/references.ts';
import { placeName } from '../lifetime/sites.ts';
import { tellsTime } from '../model/clock.ts';
import type { Finding, Severity } from '../model/report.ts';
import type { TailLine } from '../model/tail-lines.ts';
import type { ModuleRow, ShownFinding, ShownHolder, TailView } from '../model/tail-view.ts';
import type { TailReader } from './reader.ts';

export interface ViewMaker {
  tell(line: TailLine): void;
  /** @param now milliseconds
   *  @param selected the module whose holders are asked for */
  view(now: number, selected: string | undefined): TailView;
}

/** Findings that are listed, of all. */
const LISTED = 200;
const HOLDERS = 200;
/** Rates are of the last whole stretch of this length: quicker ones cannot be read. */
const RATE_MS = 1000;
const RANK: Readonly<Record<Severity, number>> = { note: 0, warning: 1, error: 2 };

interface Counted {
  gets: number;
  puts: number;
  getRate: number;
  putRate: number;
}

export function createViewMaker(source: string, reader: TailReader): ViewMaker {
  let findings: ShownFinding[] = [];
  const worst = new Map<string, Severity>();
  const counted = new WeakMap<Incarnation, Counted>();
  let found = 0;
  let eventsBefore = 0;
  let rate = 0;
  let measured: number | undefined;
  let lastEvent: { readonly ts: number; readonly at: number } | undefined;

  const sum = (of: 'events' | 'lost' | 'bad') => reader.inputs.reduce((total, input) => total + input[of], 0);

  function measure(now: number): void {
    measured ??= now;
    const seconds = (now - measured) / 1000;
    if (seconds * 1000 < RATE_MS) return;
    measured = now;
    const events = sum('events');
    rate = (events - eventsBefore) / seconds;
    eventsBefore = events;
    for (const incarnation of reader.modules.values()) {
      const { gets, puts } = incarnation;
      const before = counted.get(incarnation) ?? { gets: 0, puts: 0 };
      counted.set(incarnation, {
        gets,
        puts,
        getRate: (gets - before.gets) / seconds,
        putRate: (puts - before.puts) / seconds,
      });
    }
  }

  /** The source's clock goes on while nothing comes. */
  function clockNow(now: number): number {
    const { last } = reader.engine.ledger;
    if (last === undefined) return 0;
    if (lastEvent?.ts !== last.ts) lastEvent = { ts: last.ts, at: now };
    return last.ts + (tellsTime(clockOf()) ? (now - lastEvent.at) * 1e6 : 0);
  }

  const clockOf = () => reader.source?.clock ?? 'none';

  function rowOf(incarnation: Incarnation, time: number): ModuleRow {
    const { module, state, count } = incarnation;
    const { getRate = 0, putRate = 0 } = counted.get(incarnation) ?? {};
    const oldest = state === 'freed' ? undefined : oldestOf(incarnation);
    const grave = worst.get(module);
    return {
      module,
      state,
      users: state === 'freed' ? 0 : Math.max(0, count.users),
      gets: getRate,
      puts: putRate,
      ...(oldest === undefined ? {} : { oldest: holderOf(oldest, time) }),
      ...(grave === undefined ? {} : { worst: grave }),
    };
  }

  function note({ module, severity }: Finding): void {
    const before = worst.get(module);
    if (before === undefined || RANK[severity] > RANK[before]) worst.set(module, severity);
  }

  return {
    tell(line) {
      if (line.type === 'withdrawn') {
        findings = findings.filter(
          ({ provisional, finding }) => !provisional || finding.fingerprint !== line.fingerprint,
        );
      } else if (line.type === 'finding') {
        const { finding, provisional = false } = line;
        findings = [{ finding, provisional }, ...findings.slice(0, LISTED - 1)];
        if (provisional) return;
        found++;
        note(finding);
      }
    },

    view(now, selected) {
      measure(now);
      const time = clockNow(now);
      const shown = selected === undefined ? undefined : reader.modules.get(selected);
      return {
        source,
        format: reader.source?.format,
        clock: clockOf(),
        events: sum('events'),
        rate,
        lost: sum('lost'),
        bad: sum('bad'),
        restarts: reader.restarts,
        modules: [...reader.modules.values()].map((incarnation) => rowOf(incarnation, time)).sort(byInterest),
        findings,
        found,
        ...(shown === undefined || shown.state === 'freed'
          ? {}
          : {
              holders: shown.references
                .open()
                .slice(0, HOLDERS)
                .map((reference) => holderOf(reference, time)),
            }),
      };
    },
  };
}

/** Those with findings, then those that live; by name, so that rows keep their places. */
function byInterest(a: ModuleRow, b: ModuleRow): number {
  const interest = ({ worst, state }: ModuleRow) =>
    (worst === undefined ? 0 : 2 * (1 + RANK[worst])) + (state === 'freed' ? 0 : 1);
  return interest(b) - interest(a) || (a.module < b.module ? -1 : 1);
}

function oldestOf({ references }: Incarnation): Reference | undefined {
  let oldest: Reference | undefined;
  for (const { open } of references.sites.values()) {
    const first = open.oldest;
    if (first !== undefined && (oldest === undefined || first.get.seq < oldest.get.seq)) oldest = first;
  }
  return oldest;
}

function holderOf({ get, taker, within }: Reference, time: number): ShownHolder {
  return {
    site: placeName(taker),
    task: { comm: get.comm, pid: get.pid },
    age: Math.max(0, time - get.ts),
    ...(get.stack === undefined ? {} : { stack: get.stack }),
    ...(within === undefined || within.name === taker.symbol ? {} : { within: within.name }),
  };
}
