import { collectors } from '../../collectors/index.ts';
import type { BinaryCollector, Collector } from '../model/collector.ts';
import { UserError } from '../model/errors.ts';

/** Bytes a collector may look at before it decides. */
export const HEAD = 1 << 16;

/**
 * Which collector reads this capture, from its content alone.
 * @throws UserError 'usage' for a --format nobody has, 'declined' for a known format that cannot be read,
 *   'unrecognised' otherwise.
 */
export function detect(path: string, head: Buffer, format: string | undefined): Collector | BinaryCollector {
  if (format !== undefined) {
    const named = collectors.find(({ name }) => name === format);
    if (named !== undefined) return named;
    throw new UserError(
      'usage',
      `--format ${format}: no such format`,
      `formats: ${collectors.map(({ name }) => name).join(', ')}`,
    );
  }
  const text = head.toString('latin1', 0, HEAD);
  for (const collector of collectors) {
    const sniffed = collector.sniff(text);
    if (sniffed === true) return collector;
    if (sniffed !== false) throw new UserError('declined', `${path}: ${sniffed.declined}`);
  }
  const looked = collectors.map(({ title }) => title).join('; ');
  if (head.length === 0) throw new UserError('unrecognised', `${path}: is empty`);
  throw new UserError('unrecognised', `${path}: not a capture this tool knows; looked for ${looked}`);
}
