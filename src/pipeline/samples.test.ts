import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { UserError } from '../model/errors.ts';
import type { Event } from '../model/event.ts';
import { packageRoot } from '../package-root.ts';
import { toText } from '../report/text.ts';
import { openStore } from '../store/open-store.ts';
import { eventsOf } from '../testing/read-text.ts';
import { analyze } from './analyze.ts';
import { standingsOf } from './standings.ts';

const samples = join(packageRoot(), 'samples');
const scratch = mkdtempSync(join(tmpdir(), 'modlife-test-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const files = readdirSync(samples, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && !/README\.md$|\.expected\.txt$/.test(entry.name))
  .filter((entry) => !entry.parentPath.startsWith(join(samples, 'lab')))
  .map((entry) => join(entry.parentPath, entry.name))
  .sort();

describe.each(files.map((file) => [relative(samples, file), file]))('%s', (name, file) => {
  const bytes = readFileSync(file);

  test('is read as its golden says', async () => {
    const golden = file.replace(/\.\w+$/, (extension) =>
      extension === '.txt' ? '.expected.txt' : `${extension}.expected.txt`,
    );
    await expect(await verdict(file, name)).toMatchFileSnapshot(golden);
  });

  test('is recognised whatever it is called, whole, in 7-byte chunks and with CRLF', async () => {
    let whole: Event[];
    try {
      whole = await eventsOf(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(UserError);
      await expect(eventsOf(bytes, 7)).rejects.toThrow((error as Error).message);
      return;
    }
    expect(whole.length).toBeGreaterThan(0);
    expect(await eventsOf(bytes, 7)).toEqual(whole);
    if (name.endsWith('.dat')) return;
    const crlf = Buffer.from(bytes.toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1');
    expect(await eventsOf(crlf)).toEqual(whole);
  });

  test('gives the same answers from a store', async () => {
    const db = join(scratch, `${basename(file)}.db`);
    let direct: Awaited<ReturnType<typeof analyze>>;
    try {
      direct = await analyze([file], { db });
    } catch (error) {
      expect(error).toBeInstanceOf(UserError);
      return;
    }
    const replayed = await analyze([db]);
    expect(replayed.report).toEqual(direct.report);
    const told = standingsOf(direct);
    const store = openStore(db);
    try {
      expect(store.last()).toBe(told.last());
      for (const { module } of direct.report.modules) {
        expect(store.standing(module)).toEqual(told.standing(module));
        expect(store.frees(module)).toEqual(told.frees(module));
      }
    } finally {
      store.close();
    }
  });
});

/** What a person would see, with the path as it is in the repository. */
async function verdict(file: string, name: string): Promise<string> {
  try {
    const { report, bad } = await analyze([file]);
    const inputs = report.inputs.map((input) => ({ ...input, path: name }));
    const unread = bad.flat().map(({ line, column, message }) => `${name}:${line}:${column}: ${message}\n`);
    return toText({ ...report, inputs }, { width: 80, color: false }) + unread.join('');
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return `${error.message.replaceAll(file, name)}\n`;
  }
}
