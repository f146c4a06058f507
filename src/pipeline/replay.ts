/** The events and losses of a store as they came, so that the engine answers as it did of the captures. */
import type { Store } from '../store/open-store.ts';
import type { Item } from './settle.ts';

/** @param after nothing until this event, by `seq` @param until nothing after the first event later than this */
export function replayStore(
  store: Pick<Store, 'events' | 'losses'>,
  feed: (item: Item, input: number) => void,
  after = 0,
  until = Number.POSITIVE_INFINITY,
): void {
  const losses = store.losses();
  let told = 0;
  const tellLosses = (before: number) => {
    for (; told < losses.length && losses[told]!.after < before; told++) {
      const { input, after: _after, ns: _ns, ...lost } = losses[told]!;
      feed({ kind: 'lost', lost }, input);
    }
  };
  for (const event of store.events({ after })) {
    if (event.ts > until) return;
    tellLosses(event.seq);
    feed(event, event.input);
  }
  tellLosses(Number.POSITIVE_INFINITY);
}
