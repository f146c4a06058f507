/**
 * What a damaged capture may say: never more than the whole one. Each record dropped, doubled, swapped with its
 * neighbour; the file cut anywhere. Every second one is quick; `npm run fuzz` takes them all.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { UserError } from '../model/errors.ts';
import type { Finding } from '../model/report.ts';
import { packageRoot } from '../package-root.ts';
import { findingsOf } from '../testing/read-text.ts';

const names = [
  'tracefs/6.1-get-leak-fixed.txt',
  'tracefs/6.1-init-fails.txt',
  'tracefs/6.1-release-lucky.txt',
  'tracefs/6.1-release-fixed.txt',
  'tracefs/6.1-free-in-interrupt-fixed.txt',
  'tracefs/6.1-kthread-stopped.txt',
  'tracefs/6.1-close-race.txt',
  'tracefs/6.1-extra-put.txt',
  'tracefs/6.1-put-after-failed-get.txt',
  'tracefs/6.1-options/default.txt',
  'bpftrace/6.1-release-after-exit.txt',
];
/** Frees of memory that is not a module's are most of these captures, and no rule looks at them. */
const NOISE = /vfree: \(vfree/;

function records(name: string): string[] {
  const text = readFileSync(join(packageRoot(), 'samples', name), 'latin1');
  return text.split('\n').filter((line) => !NOISE.test(line));
}

const STEP = process.env.FUZZ_SECONDS === undefined ? 2 : 1;

function* places({ length }: readonly string[], from = 0): Generator<number> {
  for (let at = from; at < length; at += STEP) yield at;
}

const sayings = (findings: readonly Finding[]) =>
  findings
    .filter(({ certainty, severity }) => certainty === 'observed' && severity !== 'note')
    .map(({ rule, module }) => `${rule} in ${module}`);

async function sayingsOf(lines: readonly string[]): Promise<string[]> {
  try {
    return sayings(await findingsOf(Buffer.from(lines.join('\n'), 'latin1')));
  } catch (error) {
    // Cut so short that nothing tells what it is.
    expect(error).toBeInstanceOf(UserError);
    return [];
  }
}

const mutations: Record<string, (lines: string[], at: number) => void> = {
  dropped: (lines, at) => lines.splice(at, 1),
  doubled: (lines, at) => lines.splice(at, 0, lines[at]!),
  swapped: (lines, at) => lines.splice(at, 2, ...lines.slice(at, at + 2).reverse()),
  'cut off': (lines, at) =>
    lines.splice(at, Number.POSITIVE_INFINITY, lines[at]!.slice(0, lines[at]!.length / 2)),
};

test.each([
  ...names,
  'tracefs/6.1-double-put-fixed.txt',
  'tracefs/6.1-leak-on-one-path-fixed.txt',
  'tracefs/6.1-work-cancelled.txt',
])('%s without one record says nothing new that more than one would overturn', async (name) => {
  const lines = records(name);
  const key = ({ rule, module }: Finding) => `${rule} in ${module}`;
  const whole = (await findingsOf(Buffer.from(lines.join('\n'), 'latin1'))).map(key);
  for (const at of places(lines)) {
    const without = lines.toSpliced(at, 1);
    const more = (await findingsOf(Buffer.from(without.join('\n'), 'latin1')))
      .filter((finding) => finding.severity !== 'note' && !whole.includes(key(finding)))
      .filter(({ overturned_by }) => overturned_by !== 1);
    expect(more.map(key), `${name}:${at + 1} dropped: ${lines[at]}`).toEqual([]);
  }
});

test.each([
  ...names,
  'tracefs/6.1-init-fails-after-taking.txt',
  'tracefs/6.1-leak-on-one-path-fixed.txt',
  'tracefs/6.1-stuck-unload.txt',
])('%s says nothing new, not even as possible, when its beginning is missing', async (name) => {
  const lines = records(name);
  const header = lines.findIndex((line) => !line.startsWith('#'));
  const grave = async (some: readonly string[]) => {
    try {
      const findings = await findingsOf(Buffer.from(some.join('\n'), 'latin1'));
      return findings
        .filter(({ severity }) => severity !== 'note')
        .map(({ rule, module }) => `${rule} in ${module}`);
    } catch (error) {
      expect(error).toBeInstanceOf(UserError);
      return [];
    }
  };
  const whole = await grave(lines);
  for (const at of places(lines, header + 1)) {
    const rest = [...lines.slice(0, header), ...lines.slice(at)];
    const more = (await grave(rest)).filter((saying) => !whole.includes(saying));
    expect(more, `${name} from line ${at + 1}: ${lines[at]}`).toEqual([]);
  }
});

test.each(names)(
  '%s says no more with a record dropped, doubled, swapped or the rest cut off',
  async (name) => {
    const lines = records(name);
    const whole = await sayingsOf(lines);
    for (const at of places(lines)) {
      for (const [what, mutate] of Object.entries(mutations)) {
        const damaged = [...lines];
        mutate(damaged, at);
        const more = (await sayingsOf(damaged)).filter((saying) => !whole.includes(saying));
        expect(more, `${name}:${at + 1} ${what}: ${lines[at]}`).toEqual([]);
      }
    }
  },
);
