/** The beginning of a source, held until it tells what the source is. */
import type { Collector } from '../model/collector.ts';
import { UserError } from '../model/errors.ts';
import { detect, HEAD } from '../pipeline/detect.ts';
import { packingOf } from '../pipeline/unpack.ts';

export interface Head {
  /** Bytes held. */
  readonly size: number;
  push(chunk: Buffer): void;
  /** What reads it, as soon as that can be told: tried when twice as much has come as the last time.
   *  @param now milliseconds
   *  @throws UserError when it is no capture that can be followed */
  tryToTell(now: number): Collector | undefined;
  /** The same, of what there is. */
  tell(): Collector;
  /** So little has come, so lately, that more is waited for. */
  isWaiting(now: number): boolean;
  /** All that is held; after that nothing is. */
  take(): Buffer;
}

/** Lines with content that tell formats apart … */
const ENOUGH_LINES = 20;
/** … and how long to wait for as many before fewer must do. */
const PATIENCE_MS = 500;

export function createHead(path: string, format: string | undefined): Head {
  let chunks: Buffer[] = [];
  let size = 0;
  let since: number | undefined;
  /** Lines at the last try. */
  let tried = 0;

  /** @param final no more will come for it to wait for */
  function decide(final: boolean): Collector | undefined {
    const bytes = Buffer.concat(chunks);
    if (packingOf(bytes) !== undefined) throw cannotFollow('is packed, which cannot be followed');
    let collector: ReturnType<typeof detect>;
    try {
      collector = detect(path, bytes, format);
    } catch (error) {
      if (final || (error instanceof UserError && error.code === 'usage')) throw error;
      return undefined;
    }
    if ('read' in collector)
      throw cannotFollow(`${collector.name} is written when the recording ends, it cannot be followed`);
    return collector;
  }

  function cannotFollow(why: string): UserError {
    return new UserError('declined', `${path}: ${why}`, 'modlife analyze reads it');
  }

  return {
    get size() {
      return size;
    },

    push(chunk) {
      // It may lie in a buffer that is read into again.
      chunks.push(Buffer.from(chunk));
      size += chunk.length;
    },

    tryToTell(now) {
      since ??= now;
      if (format !== undefined || size >= HEAD) return decide(true);
      const lines = contentLines(Buffer.concat(chunks));
      if (lines === 0 || lines < tried * 2) return undefined;
      if (lines < ENOUGH_LINES && now - since < PATIENCE_MS) return undefined;
      tried = lines;
      return decide(false);
    },

    tell: () => decide(true)!,

    isWaiting: (now) => size > 0 && now - (since ?? now) < PATIENCE_MS,

    take() {
      const bytes = Buffer.concat(chunks);
      chunks = [];
      size = 0;
      since = undefined;
      tried = 0;
      return bytes;
    },
  };
}

/** Whole lines that are neither empty nor a comment, as most headers are. */
function contentLines(bytes: Buffer): number {
  const text = bytes.toString('latin1');
  return text.slice(0, text.lastIndexOf('\n') + 1).match(/^[^#\s].*|^\s+\S.*/gm)?.length ?? 0;
}
