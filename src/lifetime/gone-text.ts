/**
 * Whose text a bare address lies in. What lives when a trace is read has a name there, so a bare address lay in a module
 * that was gone by then. Of the loads that were there at every use of its page, and have been freed since, often one is
 * left.
 */
import type { Code, Event } from '../model/event.ts';
import type { Incarnation } from './changes.ts';
import type { Reference } from './references.ts';

/** The load whose text took a reference, freed since. */
export interface GoneTaker {
  readonly incarnation: Incarnation;
  /** Its place in that module. */
  readonly code: Code;
  /** Only its address is known, not whose text that was. */
  readonly inferred: boolean;
}

export interface GoneText {
  /** This code ran; of interest where only its address is known. */
  used(code: Code, event: Event): void;
  loaded(): void;
  freed(module: string, event: Event): void;
  /** Asked when all is told. */
  takerOf(reference: Reference): GoneTaker | undefined;
  /** Does `code`, which gave something back, lie in the text of this load, as far as is known? */
  mayBeIn(code: Code, incarnation: Incarnation): boolean;
}

/** From the first use of a page to the last, by `seq`, between which it cannot have changed hands. */
interface Uses {
  readonly first: number;
  last: number;
  /** How many had been freed and loaded by then. */
  frees: number;
  loads: number;
  /** Whose it may be, as known after so many frees. */
  owners: readonly Incarnation[];
  ownersAsOf: number;
}

/** No two modules share a page: an address without its last three digits. */
const pageOf = (address: string) => address.slice(0, -3);
/** Stretches of use that are remembered. */
const MOST = 1 << 14;

export function createGoneText(all: readonly Incarnation[]): GoneText {
  const pages = new Map<string, Uses[]>();
  /** When a load of each name was freed last, by `seq`. */
  const freedLast = new Map<string, number>();
  let remembered = 0;
  let loads = 0;
  let frees = 0;

  function usesOf({ address }: Code): readonly Uses[] {
    return (address === undefined ? undefined : pages.get(pageOf(address))) ?? [];
  }

  /** Those that were there all the time, and are gone since. */
  function ownersOf(uses: Uses): readonly Incarnation[] {
    if (uses.ownersAsOf !== frees) {
      const { first, last } = uses;
      uses.owners = all.filter(
        ({ load, free }) => free !== undefined && free.seq > last && (load === undefined || load.seq < first),
      );
      uses.ownersAsOf = frees;
    }
    return uses.owners;
  }

  return {
    used(code, { seq }) {
      if (code.symbol !== undefined || code.module !== undefined || code.address === undefined) return;
      const page = pageOf(code.address);
      const uses = pages.get(page) ?? [];
      const latest = uses.at(-1);
      // A load may have got the place of what was freed.
      if (latest !== undefined && (latest.frees === frees || latest.loads === loads)) {
        latest.last = seq;
        latest.frees = frees;
        latest.loads = loads;
        latest.ownersAsOf = 0;
        return;
      }
      if (remembered === MOST) return;
      remembered++;
      uses.push({ first: seq, last: seq, frees, loads, owners: [], ownersAsOf: 0 });
      pages.set(page, uses);
    },
    loaded: () => loads++,
    freed(module, { seq }) {
      frees++;
      freedLast.set(module, seq);
    },

    takerOf({ get, taker }) {
      const { module } = taker;
      if (module !== undefined) {
        if ((freedLast.get(module) ?? 0) <= get.seq) return undefined;
        const gone = all.find(({ module: name, free }) => name === module && (free?.seq ?? 0) > get.seq);
        return gone === undefined ? undefined : { incarnation: gone, code: taker, inferred: false };
      }
      const uses = usesOf(taker).find(({ first, last }) => first <= get.seq && get.seq <= last);
      if (uses === undefined) return undefined;
      const gone = ownersOf(uses);
      // Of several, the one whose init() this task was in.
      const only = gone.length === 1 ? gone[0] : gone.find((each) => isLoading(each, get));
      return only === undefined
        ? undefined
        : { incarnation: only, code: placed(taker, only), inferred: true };
    },

    mayBeIn(code, incarnation) {
      if (code.module !== undefined) return code.module === incarnation.module;
      return usesOf(code).some((uses) => ownersOf(uses).includes(incarnation));
    },
  };
}

function isLoading({ load, initDone }: Incarnation, { pid, seq }: Event): boolean {
  return load?.pid === pid && load.seq < seq && (initDone === undefined || seq < initDone.seq);
}

function placed(code: Code, { module }: Incarnation): Code {
  return { ...code, text: `${code.text} [${module}]`, module };
}
