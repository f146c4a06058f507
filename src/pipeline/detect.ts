import { collectors } from '../../collectors/index.ts';
import { kernelLog } from '../../collectors/kernel-log/collector.ts';
import { type BinaryCollector, type Collector, formats } from '../model/collector.ts';
import { UserError } from '../model/errors.ts';
import { unwrapped } from './unwrap.ts';
import { recogniseWrapping, unwrapHead } from './wrapping.ts';

/** Bytes a collector may look at before it decides. */
export const HEAD = 1 << 16;

/**
 * Which collector reads this capture, from its content alone.
 * @throws UserError 'usage' for a --format nobody has, 'declined' for a known format that cannot be read,
 *   'unrecognised' otherwise.
 */
export function detect(path: string, head: Buffer, format: string | undefined): Collector | BinaryCollector {
  const text = head.toString('latin1', 0, HEAD);
  if (format !== undefined) {
    const named = collectors.find(({ name }) => name === format);
    if (named !== undefined) {
      const wrapping = isBinary(named) || named === kernelLog ? undefined : recogniseWrapping(text);
      return wrapping === undefined || isBinary(named) ? named : unwrapped(named, wrapping);
    }
    throw new UserError('usage', `--format ${format}: no such format`, `formats: ${formats.join(', ')}`);
  }
  const plain = sniff(text);
  const found = isBinary(plain) ? plain : (inside(text, plain) ?? plain);
  if (found !== undefined) {
    if ('declined' in found) throw new UserError('declined', `${path}: ${found.declined}`);
    return found;
  }
  throw unrecognised(path, head);
}

/** What it is instead, as far as that helps. */
function unrecognised(path: string, head: Buffer): UserError {
  const declined = (what: string, hint: string) => new UserError('declined', `${path}: ${what}`, hint);
  if (isPerfetto(head)) {
    return declined(
      'a Perfetto trace, which this tool cannot read',
      'record with modlife capture, or from tracefs or trace-cmd',
    );
  }
  if (head.length === 0) return new UserError('unrecognised', `${path}: is empty`);
  const text = head.toString('utf8').trimStart();
  if (text.startsWith('SQLite format 3\0'))
    return declined(
      'an SQLite database, but no store of modlife',
      'modlife analyze --db FILE CAPTURE… writes one',
    );
  if (/^\{\s*"schema":\s*"modlife\//.test(text))
    return declined(
      'an answer of modlife, no capture',
      'give what it was asked of; diff and --baseline take findings',
    );
  if (/^[[{]\s*["{\]}]/.test(text))
    return declined(
      'JSON, but no capture this tool knows',
      "of bpftrace -f json it reads what modlife's own program prints",
    );
  const [begins = ''] = text.split(/\r?\n/, 1);
  const quoted = begins.length > QUOTED ? `${begins.slice(0, QUOTED)}…` : begins;
  return new UserError(
    'unrecognised',
    `${path}: not a capture this tool knows; it begins with "${quoted}"`,
    `if it is one, name its format with --format: ${formats.join(', ')}`,
  );
}

/** It would have been recognised as what it is read as, inside something else or not. */
export function isSniffedAs(collector: Collector | BinaryCollector, head: Buffer): boolean {
  const text = head.toString('latin1', 0, HEAD);
  const wrapping = recogniseWrapping(text);
  const named = collectors.find(({ name }) => name === collector.name);
  return (
    named?.sniff(text) === true ||
    (wrapping !== undefined && named?.sniff(unwrapHead(wrapping, text)) === true)
  );
}

/** So much of the first line is enough to see what it is. */
const QUOTED = 32;

type Found = Collector | BinaryCollector | { readonly declined: string } | undefined;

function sniff(text: string): Found {
  for (const collector of collectors) {
    const sniffed = collector.sniff(text);
    if (sniffed === true) return collector;
    if (sniffed !== false) return sniffed;
  }
  return undefined;
}

/** The collector of a trace inside something else. A kernel log has prefixes of its own, which its collector knows. */
function inside(text: string, plain: Found): Found {
  const wrapping = recogniseWrapping(text);
  if (wrapping === undefined) return undefined;
  const found = sniff(unwrapHead(wrapping, text));
  if (found === undefined || isBinary(found) || (found === plain && found === kernelLog)) return undefined;
  return 'declined' in found ? found : unwrapped(found, wrapping);
}

/** Packets of a protobuf, one behind the other: field 1 of the whole, each with its length. */
function isPerfetto(head: Buffer): boolean {
  if (!/[\0-\x07]/.test(head.toString('latin1'))) return false;
  let at = 0;
  for (let packets = 0; at < head.length; packets++) {
    if (head[at++] !== 0x0a) return false;
    let length = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = head[at++] ?? 0;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    // A packet begins with the tag of one of its fields.
    if (length === 0 || (head[at] ?? 0) < 8) return false;
    at += length;
    if (packets === 3) return true;
  }
  return at === head.length;
}

function isBinary(found: Found): found is BinaryCollector {
  return found !== undefined && 'read' in found;
}
