import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { MANIFEST, type Manifest } from '../model/manifest.ts';
import { MANIFEST_FILE } from '../model/schema-id.ts';
import { analyze } from './analyze.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
  mkdirSync(join(folder, 'symbols'));
  copyFileSync('samples/tracefs/6.1-stuck-unload.txt', join(folder, 'trace.txt'));
  copyFileSync('samples/kernel-log/6.1-stuck-unload-dmesg.txt', join(folder, 'kernel-log.txt'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(more: Partial<Manifest> = {}): void {
  const manifest: Manifest = {
    schema: MANIFEST,
    tool: { name: 'modlife', version: '0' },
    state: 'complete',
    backend: 'tracefs',
    kernel: { release: '6.1.0-56-amd64', machine: 'x86_64', cpus: 2 },
    clock: 'mono',
    begin: 0,
    end: 1,
    command: null,
    streams: ['trace.txt'],
    kernelLog: 'kernel-log.txt',
    symbols: [],
    plan: { clock: 'mono', events: [], probes: [], watched: [], missing: [] },
    notProbed: [],
    lost: [],
    missed: [],
    ...more,
  };
  writeFileSync(join(folder, MANIFEST_FILE), JSON.stringify(manifest));
}

test('a capture directory is read whole, as its files given one by one are', async () => {
  write();
  const { report } = await analyze([folder]);
  const apart = await analyze([join(folder, 'trace.txt'), join(folder, 'kernel-log.txt')]);
  expect(report.findings).toEqual(apart.report.findings);
  expect(report.findings.length).toBeGreaterThan(0);
  expect(report.inputs[0]).toMatchObject({
    path: join(folder, 'trace.txt'),
    capture: folder,
    kernel: '6.1.0-56-amd64',
  });
});

test('an empty kernel log is left out', async () => {
  write();
  writeFileSync(join(folder, 'kernel-log.txt'), '');
  const { report } = await analyze([folder]);
  expect(report.inputs.map(({ format }) => format)).toEqual(['tracefs']);
});

test('what the kernel lost and the stream does not tell weakens the verdicts', async () => {
  write({ lost: [{ cpu: 1, lost: 42, told: 40 }], missed: [{ name: 'free_module', times: 3 }] });
  const { report } = await analyze([folder]);
  expect(report.inputs[0]?.lost).toBe(5);
  expect(report.findings.filter(({ certainty }) => certainty === 'observed')).toEqual([
    expect.objectContaining({ rule: 'trace-gap' }),
  ]);
});

test('a manifest cannot lead out of its folder', async () => {
  write({ streams: ['../../etc/passwd'] });
  await expect(analyze([folder])).rejects.toThrow('manifest.json: streams.0: ');
});

test('a damaged manifest is told, and a folder without one is no capture', async () => {
  writeFileSync(join(folder, MANIFEST_FILE), '{');
  await expect(analyze([folder])).rejects.toThrow('manifest.json: ');
  rmSync(join(folder, MANIFEST_FILE));
  await expect(analyze([folder])).rejects.toThrow('is a directory');
});

test.each([
  ['plain', 'c'],
  ['gzip', 'cz'],
])('a capture directory packed with tar is read as it is: %s', async (_, how) => {
  write();
  const tar = join(folder, 'packed.tar');
  execFileSync('tar', [
    `${how}f`,
    tar,
    '-C',
    dirname(folder),
    ...FILES.map((name) => join(basename(folder), name)),
  ]);
  const { report } = await analyze([tar]);
  const apart = await analyze([folder]);
  expect(report.findings).toEqual(apart.report.findings);
  expect(report.inputs.map(({ path }) => path)).toEqual([
    join(tar, 'trace.txt'),
    join(tar, 'kernel-log.txt'),
  ]);
});

const FILES = ['manifest.json', 'trace.txt', 'kernel-log.txt'];

test('a tar that is cut off, or holds no capture, is told', async () => {
  write();
  const tar = join(folder, 'packed.tar');
  execFileSync('tar', ['cf', tar, '-C', folder, ...FILES]);
  writeFileSync(tar, readFileSync(tar).subarray(0, 40_000));
  await expect(analyze([tar])).rejects.toThrow('is a tar that is cut off or damaged');
  execFileSync('tar', ['cf', tar, '-C', folder, 'trace.txt']);
  await expect(analyze([tar])).rejects.toThrow('a tar without a capture directory in it');
});

test('a tar puts nothing outside of where it is unpacked, and leaves nothing there', async () => {
  // Of its own: others unpack at the same time.
  const temporary = mkdtempSync(join(folder, 'temporary-'));
  vi.stubEnv('TMPDIR', temporary);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  write();
  const tar = join(folder, 'packed.tar');
  execFileSync('tar', ['cf', tar, '-C', folder, '--transform', 's,^trace,../../trace,', ...FILES], {
    stdio: 'pipe',
  });
  await expect(analyze([tar])).rejects.toThrow('no such file');
  expect(readdirSync(temporary)).toEqual([]);
});

test('a tar with a name that is a file here and a folder there is called damaged', async () => {
  const place = mkdtempSync(join(folder, 'clash-'));
  const tar = join(place, 'clash.tar');
  writeFileSync(join(place, 'a'), 'x');
  execFileSync('tar', ['cf', tar, '-C', place, 'a']);
  rmSync(join(place, 'a'));
  mkdirSync(join(place, 'a'));
  writeFileSync(join(place, 'a', 'b'), 'x');
  execFileSync('tar', ['rf', tar, '-C', place, 'a/b']);
  await expect(analyze([tar])).rejects.toThrow(`${tar}: is a tar that is cut off or damaged`);
});
