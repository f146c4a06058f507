import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createTailReader } from '../tail/reader.ts';
import { createFlightRecorder } from './flight-recorder.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 20, 13, 22, 9, 42) });
});
afterEach(() => {
  vi.useRealTimers();
});

interface Kept {
  readonly name: string;
  readonly text: string;
}

/** What is kept of a capture of which a line comes each tenth of a second. */
function recorded(path: string, seconds: number, save?: () => string): { kept: Kept[]; said: string[] } {
  const kept: Kept[] = [];
  const said: string[] = [];
  const recorder = createFlightRecorder({
    seconds,
    headLines: () => reader.headLines,
    save:
      save ??
      ((name, text) => {
        kept.push({ name, text: Buffer.concat(text).toString('latin1') });
        return name;
      }),
    say: (text) => said.push(text),
  });
  const reader = createTailReader({ path, tell: recorder.told });
  for (const line of readFileSync(path, 'latin1').split(/(?<=\n)/)) {
    const bytes = Buffer.from(line, 'latin1');
    recorder.read(bytes);
    reader.push(bytes, performance.now());
    vi.advanceTimersByTime(100);
    reader.tick(performance.now());
  }
  reader.end(false);
  recorder.close();
  return { kept, said };
}

/** What `analyze` finds in a text. */
function rulesIn(text: string): string[] {
  const reader = createTailReader({ path: 'kept', tell: () => {} });
  reader.push(Buffer.from(text, 'latin1'), 0);
  return reader.end(false).findings.map(({ rule }) => rule);
}

const EARLY = 'samples/tracefs/6.1-free-in-softirq-read-late.txt';

describe('what is kept', () => {
  test('is the latest stretch behind its header, which shows what it is kept for', () => {
    const whole = readFileSync(EARLY, 'latin1');
    const { kept, said } = recorded(EARLY, 6);
    const [first] = kept;
    expect(first!.name).toMatch(/^20261120-1322\d\d\.\d{3}-free-in-interrupt$/);
    expect(said[0]).toBe(`kept ${first!.name}`);
    const header = whole.slice(0, whole.search(/^[^#\n]/m));
    expect(header).toMatch(/^# tracer/);
    expect(first!.text.startsWith(header)).toBe(true);
    const rest = first!.text.slice(header.length);
    expect(rest.split('\n').length).toBeLessThan(70);
    expect(whole).toContain(`\n${rest}`);
    expect(rulesIn(first!.text)).toContain('free-in-interrupt');
  });

  test('is all there is while that is not longer', () => {
    const { kept } = recorded(EARLY, 3600);
    expect(readFileSync(EARLY, 'latin1').startsWith(kept[0]!.text)).toBe(true);
  });

  test.each([
    ['an unload that was refused', 'samples/tracefs/6.12-lasting-holder-refused.txt', /-rmmod-failed$/],
    ['a warning of the kernel', 'samples/kernel-log/6.1-put-after-failed-get-dmesg.txt', /-warn$/],
    ['an oops', 'samples/kernel-log/6.1-text-in-use-rcu-console.txt', /-oops$/],
  ])('is kept for %s', (_, path, name) => {
    expect(recorded(path, 60).kept.map((own) => own.name)).toContainEqual(expect.stringMatching(name));
  });

  test('of a capture without a bug is nothing', () => {
    expect(recorded('samples/tracefs/6.1-clean.txt', 60)).toEqual({ kept: [], said: [] });
  });
});

test('that it could not be written is told, and ends nothing', () => {
  const { said } = recorded(EARLY, 60, () => {
    throw new Error('cannot write there');
  });
  expect(said).toContain('cannot write there');
});

test('a storm of triggers is written once a second, and not for ever', () => {
  let written = 0;
  const said: string[] = [];
  const recorder = createFlightRecorder({
    seconds: 60,
    headLines: () => 0,
    save: () => `${++written}`,
    say: (text) => said.push(text),
  });
  const place = { task: { comm: 'a', pid: 1 }, ns: 1, input: 0, line: 1 };
  const storm = (seconds: number) => {
    for (let i = 0; i < seconds * 100; i++) {
      recorder.told({ type: 'fault', what: 'warn', message: 'WARNING: ', ...place });
      vi.advanceTimersByTime(10);
    }
  };
  storm(10.5);
  expect(written).toBe(11);
  storm(1000);
  expect(written).toBe(100);
  expect(said.at(-1)).toBe('100 times something was kept; no more is');
});
