/** The report in a real browser, opened from a file as a reader would. Debian: apt-get install chromium. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dossier } from '../../model/dossier.ts';
import { dossierOf, hostile, PAYLOAD, pageOf } from '../../testing/page-of.ts';

const CHROMIUM = '/usr/bin/chromium';
const hasBrowser = existsSync(CHROMIUM);
if (!hasBrowser) console.warn(`skipped: no browser at ${CHROMIUM} (Debian: apt-get install chromium)`);

const QUIET = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A page and all that it complained of or asked for since it was opened. */
interface Opened {
  readonly page: Page;
  readonly complaints: string[];
  readonly requests: string[];
}

const tracefs = (name: string) => `samples/tracefs/6.1-${name}.txt`;

describe.skipIf(!hasBrowser)('in Chromium', () => {
  let browser: Browser;
  let folder: string;
  let leak: Dossier;
  let files = 0;

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET });
    folder = mkdtempSync(join(tmpdir(), 'modlife-browser-'));
    leak = await dossierOf(tracefs('get-leak'));
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function open(dossier: Dossier, hash = '', options: BrowserContextOptions = {}): Promise<Opened> {
    const file = join(folder, `${files++}.html`);
    writeFileSync(file, pageOf(dossier));
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
    const complaints: string[] = [];
    const requests: string[] = [];
    page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('dialog', (dialog) => complaints.push(`dialog: ${dialog.message()}`));
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(`${pathToFileURL(file)}${hash}`);
    return { page, complaints, requests };
  }

  async function drawn(page: Page, chart = 0): Promise<void> {
    const figure = page.locator(`[data-chart="${chart}"]`);
    await figure.scrollIntoViewIfNeeded();
    await page.locator(`[data-chart="${chart}"][data-drawn]`).waitFor();
  }

  /** Colours on the canvas, to tell a drawing from an empty sheet. */
  function coloursOf(page: Page): Promise<number> {
    return page.evaluate(`(() => {
      const canvas = document.querySelector('canvas');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const seen = new Set();
      for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 0) seen.add(data.slice(at, at + 3).join());
      return seen.size;
    })()`);
  }

  test('everything is in the file: no request leaves it, and nothing is complained of', async () => {
    for (const name of ['get-leak', 'release-after-exit', 'clean', 'lost-events']) {
      const { page, complaints, requests } = await open(await dossierOf(tracefs(name)));
      await drawn(page);
      expect(complaints).toEqual([]);
      expect(requests).toEqual([page.url()]);
      await page.close();
    }
  });

  test.each(['light', 'dark'] as const)('charts are drawn in the %s theme', async (colorScheme) => {
    const { page } = await open(leak, '', { colorScheme });
    await drawn(page);
    expect(await coloursOf(page)).toBeGreaterThan(5);
    await page.close();
  });

  test('a chart is zoomed by sliders and by dragging, and shown whole again', async () => {
    const { page, complaints } = await open(leak);
    await drawn(page);
    const figure = page.locator('[data-chart="0"]');
    const shown = figure.locator('output');
    // It begins with the life of the module, not with the 90 seconds before it.
    expect(await shown.textContent()).toMatch(/^106\.\d+ to 114\.\d+$/);
    await figure.locator('.whole').click();
    expect(await shown.textContent()).toMatch(/^15\.\d+ to 114\.\d+$/);
    await figure.locator('.from').fill('500');
    expect(await shown.textContent()).toMatch(/^65\.\d+ to 114\.\d+$/);
    const box = (await figure.locator('canvas').boundingBox())!;
    await page.mouse.move(box.x + box.width * 0.5, box.y + 50);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.75, box.y + 50, { steps: 4 });
    await page.mouse.up();
    const [from, to] = (await shown.textContent())!.split(' to ').map(Number) as [number, number];
    expect(from).toBeGreaterThan(85);
    expect(to).toBeLessThan(105);
    await page.keyboard.press('Tab');
    await figure.locator('.whole').focus();
    await page.keyboard.press('Enter');
    expect(await shown.textContent()).toMatch(/^15\.\d+ to 114\.\d+$/);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('findings are filtered by text, severity and module, from the keyboard, too', async () => {
    const { page } = await open(leak);
    const visible = page.locator('article.finding:visible');
    expect(await visible.count()).toBe(2);
    await page.keyboard.press('/');
    await page.keyboard.type('never given back');
    expect(await visible.count()).toBe(1);
    expect(await page.locator('#shown').textContent()).toContain('1 of 2');
    await page.keyboard.press('Escape');
    await expect.poll(() => visible.count()).toBe(2);
    await page.getByRole('checkbox', { name: 'error' }).uncheck();
    expect(await visible.count()).toBe(1);
    await page.getByRole('button', { name: 'Clear' }).click();
    await expect.poll(() => visible.count()).toBe(2);
    await page.locator('#of-module').selectOption('ml_getleak');
    expect(await visible.count()).toBe(2);
    await page.close();
  });

  test('a deep link shows its finding, even one that is filtered away, and unfolds what is folded', async () => {
    const target = leak.report.findings[1]!;
    const { page } = await open(leak, `#finding-${target.fingerprint}`);
    const finding = page.locator(`#finding-${target.fingerprint}`);
    await expect.poll(async () => (await finding.boundingBox())!.y).toBeLessThan(200);
    await page.locator('#search').fill('no such thing');
    expect(await finding.isVisible()).toBe(false);
    await page.evaluate("location.hash = ''");
    await page.evaluate(`location.hash = 'finding-${target.fingerprint}'`);
    await expect.poll(() => finding.isVisible()).toBe(true);
    await finding.getByRole('link', { name: 'line' }).first().click();
    await expect.poll(() => finding.locator('.lines').isVisible()).toBe(true);
    expect(await finding.locator('.lines').textContent()).toContain('ml_getleak_open');
    await page.close();
  });

  test('names and texts of a trace stay inert, whatever they are', async () => {
    for (const name of ['ml_getleak', 'bash', 'tracefs']) {
      const { page, complaints, requests } = await open(hostile(leak, name, PAYLOAD));
      await drawn(page);
      await page.locator('#search').fill('img');
      await page.locator('#search').fill('');
      expect(await page.evaluate('typeof globalThis.hacked')).toBe('undefined');
      expect(await page.locator('img').count()).toBe(0);
      expect(await page.locator('article.finding').count()).toBe(2);
      expect(complaints).toEqual([]);
      expect(requests).toHaveLength(1);
      await page.close();
    }
  });

  test('a capture whose tasks, sites and stacks are hostile is read, shown and inert', async () => {
    const capture = join(folder, 'hostile.txt');
    writeFileSync(
      capture,
      [
        ' <img src=x>\u001b[2J-7       [000] ..... 100.000001: module_get: m call_site=</script><script>hacked=1</script> refcnt=2',
        ' <img src=x>\u001b[2J-7       [000] ..... 100.000002: <stack trace>',
        ' => <svg/onload=hacked=1>',
        ' </script>-8       [000] ..... 101.000000: module_get: <b>x</b> call_site=a"onmouseover=hacked=1 refcnt=2',
        '',
      ].join('\n'),
    );
    const { page, complaints, requests } = await open(await dossierOf(capture));
    expect(await page.locator('details.module h3').allTextContents()).toEqual(
      expect.arrayContaining(['m', '<b>x</b>']),
    );
    expect(await page.locator('main').textContent()).toContain('<img src=x>\\x1b[2J/7');
    expect(await page.evaluate('typeof globalThis.hacked')).toBe('undefined');
    expect(await page.locator('img, main svg[onload], main b').count()).toBe(0);
    expect(complaints).toEqual([]);
    expect(requests).toHaveLength(1);
    await page.close();
  });

  test('the policy holds: even a script put into the page does not run', async () => {
    const { page, complaints } = await open(leak);
    await page.evaluate(`(() => {
      const script = document.createElement('script');
      script.textContent = 'globalThis.hacked = 1';
      document.body.append(script);
      const image = document.createElement('img');
      image.src = 'https://example.org/x';
      document.body.append(image);
      document.body.insertAdjacentHTML('beforeend', '<p onclick="hacked=1" id="trap">x</p>');
      document.getElementById('trap').click();
    })()`);
    expect(await page.evaluate('typeof globalThis.hacked')).toBe('undefined');
    expect(complaints.length).toBeGreaterThanOrEqual(3);
    expect(complaints.every((complaint) => complaint.includes('Content Security Policy'))).toBe(true);
    await page.close();
  });

  test('on paper what is folded is unfolded, and charts nobody has scrolled to are drawn', async () => {
    const { page, complaints } = await open(leak);
    await page.pdf();
    expect(await page.locator('[data-chart="0"][data-drawn]').count()).toBe(1);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('without JavaScript all is there to be read', async () => {
    const { page } = await open(leak, '', { javaScriptEnabled: false });
    expect(await page.locator('h1').textContent()).toContain('1 error');
    expect(await page.locator('table.evidence').first().isVisible()).toBe(true);
    expect(await page.locator('#filter').isVisible()).toBe(false);
    expect(await page.locator('.zoom').first().isVisible()).toBe(false);
    await page.close();
  });

  test.each([390, 768, 1280])('nothing sticks out of a window %i pixels wide', async (width) => {
    for (const name of ['get-leak', 'clean', 'release-after-exit']) {
      const { page } = await open(await dossierOf(tracefs(name)), '', { viewport: { width, height: 800 } });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      await page.close();
    }
  });

  test('a report on a million changes is ready within two seconds', async () => {
    const module = leak.modules[0]!;
    const points = Array.from({ length: 300 }, (_, index) => ({
      ns: leak.from + index * 1e6,
      low: 0,
      high: index % 7,
      last: index % 3,
    }));
    const series = { changes: 1_000_000, bucket: 1 << 20, points };
    const modules = Array.from({ length: 200 }, (_, index) => ({ ...module, module: `m${index}`, series }));
    const findings = Array.from({ length: 150 }, () => ({ ...leak.report.findings[0]! }));
    const start = performance.now();
    const { page } = await open({ ...leak, modules, report: { ...leak.report, findings } });
    await drawn(page);
    await page.locator('#search').fill('m19');
    expect(performance.now() - start).toBeLessThan(5000);
    const ready = await page.evaluate<number>(
      "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd",
    );
    expect(ready).toBeLessThan(2000);
    await page.close();
  });
});
