import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { openSource } from './source.ts';

const folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function contents(bytes: Buffer): Promise<string> {
  const path = join(folder, 'capture');
  writeFileSync(path, bytes);
  const chunks: Buffer[] = [];
  for await (const chunk of (await openSource(path)).chunks) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** `zstd -19` of "# tracer: nop\n", 40 times. */
const ZSTD = Buffer.from('28b52ffd0068ad00007023207472616365723a206e6f700a01001fa29a4a', 'hex');

test('a capture is read as it is, or unpacked by its magic', async () => {
  expect(await contents(Buffer.from('# tracer: nop\n'))).toBe('# tracer: nop\n');
  expect(await contents(gzipSync('# tracer: nop\n'))).toBe('# tracer: nop\n');
  expect(await contents(ZSTD)).toBe('# tracer: nop\n'.repeat(40));
});

test('a packed file that is cut off says so', async () => {
  const packed = gzipSync('# tracer: nop\n'.repeat(1000));
  await expect(contents(packed.subarray(0, packed.length - 12))).rejects.toThrow(
    /capture: cannot be unpacked/,
  );
  await expect(contents(ZSTD.subarray(0, 12))).rejects.toThrow(/capture: cannot be unpacked/);
});

test('what cannot be read says why', async () => {
  await expect(openSource(join(folder, 'nowhere'))).rejects.toThrow('no such file');
  await expect(openSource(folder)).rejects.toThrow('is a directory');
});
