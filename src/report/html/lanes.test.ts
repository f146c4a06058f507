import { describe, expect, test } from 'vitest';
import type { Finding } from '../../model/report.ts';
import { dossierOf } from '../../testing/page-of.ts';
import { lanesOf } from './lanes.ts';

/** As it is drawn: `o` an event, `#` a bar, `|` the task; `v` where a bar goes on beyond the last event. */
function drawing(finding: Finding): string[] {
  const { cells } = lanesOf(finding);
  return cells.map((row) =>
    row
      .map((names) => {
        const has = (name: string) => names.split(' ').includes(name);
        return `${has('here') ? 'o' : has('up') || has('down') ? '#' : '|'}${has('open') ? 'v' : has('down') ? '#' : ' '}`;
      })
      .join(' ')
      .trimEnd(),
  );
}

async function firstOf(name: string): Promise<Finding> {
  return (await dossierOf(`samples/tracefs/6.1-${name}.txt`)).report.findings[0]!;
}

describe('the evidence as lanes', () => {
  test('shows a release that outlives the free, and the exit that did not wait', async () => {
    expect(drawing(await firstOf('release-after-exit'))).toEqual([
      'o  |',
      'o# |',
      '## o#',
      'o  ##',
      'o  ##',
      '|  ov',
    ]);
  });

  test('shows a reference that stays out', async () => {
    expect(drawing(await firstOf('get-leak'))).toEqual(['o', 'o#', 'o#', 'ov']);
  });

  test('pairs a return with its call although its symbol was looked up too late', async () => {
    expect(drawing(await firstOf('free-in-softirq'))).toEqual(['o', 'o#', 'o#', 'o']);
  });

  test('pairs nothing where events are missing', async () => {
    expect(drawing((await dossierOf('samples/tracefs/6.1-lost-events.txt')).report.findings[1]!)).toEqual([
      'o',
      'o',
    ]);
  });

  test('gives tasks beyond the sixth one lane together', async () => {
    const finding = await firstOf('get-leak');
    const item = finding.evidence[0]!;
    const evidence = Array.from({ length: 9 }, (_, pid) => ({ ...item, task: { comm: 'cat', pid } }));
    const { count, of } = lanesOf({ ...finding, evidence });
    expect(count).toBe(6);
    expect(of).toEqual([0, 1, 2, 3, 4, 5, 5, 5, 5]);
  });
});
