/** Findings from wherever they are: a document that `--json` printed, a store or a capture, told by content. */
import { statSync } from 'node:fs';
import { UserError } from '../model/errors.ts';
import type { Report } from '../model/report.ts';
import { SCHEMA } from '../model/schema-id.ts';
import { openSource } from '../pipeline/source.ts';
import type { Io } from './io.ts';
import { read } from './read.ts';

/** @throws UserError when it is none of these */
export async function readFindings(path: string, io: Io): Promise<Report> {
  const capture = async () => (await read([path], {}, io)).report;
  // A folder may be a capture, never a document.
  if (path !== '-' && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return capture();
  const { chunks, file } = await openSource(path);
  const document = await readDocument(path, chunks);
  if (document !== undefined) return toReport(path, document);
  if (file !== undefined) return capture().catch(tellOfFindings);
  throw new UserError(
    'unrecognised',
    `${path === '-' ? 'stdin' : path} is not a findings document`,
    `${AGAIN}; a capture that comes through a pipe must be saved to a file first`,
  );
}

function tellOfFindings(error: unknown): never {
  if (!(error instanceof UserError) || error.code !== 'unrecognised') throw error;
  const { code, message, hint } = error;
  throw new UserError(
    code,
    message,
    [`a findings document is taken, too: ${AGAIN}`, hint].filter(Boolean).join('; '),
  );
}

/** The object that is read; undefined when it is something else, of which no more than its head is read. */
async function readDocument(path: string, source: AsyncIterable<Buffer>): Promise<object | undefined> {
  const chunks: Buffer[] = [];
  let decided = false;
  for await (const chunk of source) {
    // Only lent.
    chunks.push(Buffer.from(chunk));
    if (decided) continue;
    const head = Buffer.concat(chunks).toString('utf8').trimStart();
    if (head === '') continue;
    if (!head.startsWith('{') || isRecord(head)) return undefined;
    decided = true;
  }
  const text = Buffer.concat(chunks).toString('utf8');
  try {
    return JSON.parse(text) as object;
  } catch (error) {
    if (!text.includes(`"${SCHEMA}"`)) return undefined;
    throw new UserError(
      'unrecognised',
      `${path}: a findings document that is cut off or damaged: ${(error as Error).message}`,
      AGAIN,
    );
  }
}

const AGAIN = 'modlife analyze --json prints one';

/** A capture that is JSON has an object a line, and no schema. */
function isRecord(head: string): boolean {
  const [line, ...rest] = head.split('\n', 2);
  if (rest.length === 0) return false;
  try {
    return !('schema' in (JSON.parse(line!) as object));
  } catch {
    return false;
  }
}

async function toReport(path: string, document: object): Promise<Report> {
  const { reportSchema } = await import('../model/report.ts');
  const { success, data, error } = reportSchema.safeParse(document);
  if (success) return data;
  const { path: where, message } = error.issues[0]!;
  throw new UserError(
    'unrecognised',
    `${path}: not a findings document of this version: ${where.length === 0 ? '' : `${where.join('.')}: `}${message}`,
    AGAIN,
  );
}
