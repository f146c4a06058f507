/** P10: the report as a page. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Bench, missing, power, type Row } from '../bench.ts';
import { run } from '../run.ts';
import { spreadOf } from '../statistics.ts';

const MOST = 1_000_000;

export async function page(bench: Bench): Promise<Row[]> {
  const events = Math.min(bench.largest, MOST);
  const path = join(bench.folder, 'report.html');
  await run(bench.modlife('report', '-o', path, bench.capture('ours', events)));
  const size = `${power(events)} events, all ours`;
  const interactive = {
    bar: 'P10',
    compared: 'report in Chromium, until a chart is zoomed',
    size,
    unit: 's',
    limit: 2,
    wanted: 'at most',
  } as const;
  const chromium = bench.peers.path('chromium');
  return [
    {
      ...interactive,
      compared: 'size of the report',
      measured: spreadOf([statSync(path).size / 1e6]),
      unit: 'MB',
      limit: 5,
    },
    chromium === undefined
      ? missing(interactive, 'chromium')
      : { ...interactive, measured: spreadOf(await openings(chromium, path, bench.rounds)) },
  ];
}

/** Seconds from asking for the page until a chart that it drew has been zoomed. */
async function openings(executablePath: string, path: string, rounds: number): Promise<number[]> {
  const { chromium } = await import('playwright-core');
  const browser = await chromium.launch({
    executablePath,
    args: ['--headless', '--no-sandbox', '--disable-gpu'],
  });
  try {
    const seconds: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const opened = await browser.newPage({ viewport: { width: 1280, height: 900 } });
      const start = performance.now();
      await opened.goto(pathToFileURL(path).href);
      await opened.locator('[data-chart="0"]').scrollIntoViewIfNeeded();
      await opened.locator('[data-chart="0"][data-drawn]').waitFor();
      await opened.locator('[data-chart="0"] .from').fill('500');
      seconds.push((performance.now() - start) / 1000);
      await opened.close();
    }
    return seconds;
  } finally {
    await browser.close();
  }
}
