import { expect, test } from 'vitest';
import type { CiAnswer } from '../model/answers.ts';
import { analyze } from '../pipeline/analyze.ts';
import { renderCi } from './ci.ts';

const style = { width: 80, color: false };

async function verdict(sample: string, more: Partial<CiAnswer> = {}) {
  const { report } = await analyze([sample]);
  const run = { command: ['make', 'test'], status: 0, signal: null, elapsed: 4.1e9 } as const;
  return renderCi({ type: 'ci', ...run, report, ...more }, style);
}

test('says what was found, how the command ended and where the capture is', async () => {
  const said = await verdict('samples/tracefs/6.1-get-leak.txt', { status: 2, directory: '/tmp/kept' });
  expect(said).toMatch(
    /^modlife: 1 error, 1 warning; make ended with 2 after 4\.1 s; \d+ events, none lost\n/,
  );
  expect(said).toMatch(/^error {2}ref-leak {2}observed {2}ml_getleak_open/m);
  expect(said).toMatch(/^modlife analyze \/tmp\/kept\n$/m);
});

test('tells a command that a signal ended, and what could not be asked', async () => {
  const said = await verdict('samples/tracefs/6.1-options/clock-counter.txt', {
    status: null,
    signal: 'SIGSEGV',
  });
  expect(said).toContain('modlife: nothing found; make ended with SIGSEGV');
  expect(said).toMatch(/^not asked: .*busy-unload/m);
});

test('keeps to fifteen lines, however much was found', async () => {
  const { report } = await analyze(['samples/tracefs/6.1-get-leak.txt']);
  const findings = Array.from({ length: 40 }, () => report.findings[0]!);
  const idle = { rule: 'stuck-unload', ran: false } as const;
  const said = renderCi(
    {
      type: 'ci',
      command: ['true'],
      status: 0,
      signal: null,
      elapsed: 1,
      directory: '/tmp/kept',
      report: { ...report, findings, passes: [idle] },
    },
    style,
  );
  expect(said.trimEnd().split('\n')).toHaveLength(15);
  expect(said).toContain('and 29 more');
});
