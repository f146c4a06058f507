import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dossier } from '../../model/dossier.ts';
import { dossierOf, hostile, PAYLOAD, pageOf } from '../../testing/page-of.ts';
import { runCli } from '../../testing/run-cli.ts';
import { html, inertJson, toText, verbatim } from './markup.ts';

const tracefs = (name: string) => `samples/tracefs/6.1-${name}.txt`;

let leak: Dossier;
let folder: string;

beforeAll(async () => {
  leak = await dossierOf(tracefs('get-leak'));
  folder = mkdtempSync(join(tmpdir(), 'modlife-page-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function withoutAssets(page: string): string {
  return page.replace(/<(script|style)[^>]*>.*?<\/\1>/gs, '');
}

/** What a reader without JavaScript and style sees. */
function textOf(page: string): string {
  return withoutAssets(page)
    .replace(/<[^>]+>/g, ' ')
    .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
    .replace(/\s+/g, ' ');
}

describe('markup', () => {
  test('escapes what is put in, and shows what would act in a terminal', () => {
    expect(toText(html`<i title="${'"><b>'}">${"a & 'b' <c>\u001b[31m"}</i>`)).toBe(
      '<i title="&#34;&#62;&#60;b&#62;">a &#38; &#39;b&#39; &#60;c&#62;\\x1b[31m</i>',
    );
  });

  test('keeps pieces of HTML, and says nothing for undefined', () => {
    expect(toText(html`<p>${[html`<b>${1}</b>`, html`<i></i>`]}${undefined}</p>`)).toBe(
      '<p><b>1</b><i></i></p>',
    );
  });

  test('holds no object from a trace for HTML', () => {
    const forged = JSON.parse('{"markup":"<script>"}') as never;
    expect(toText(html`${forged}`)).not.toContain('<');
  });

  test('writes data in which no element can end', () => {
    const text = toText(inertJson({ name: '</script><!--<script>' }));
    expect(text).not.toContain('<');
    expect(JSON.parse(text)).toEqual({ name: '</script><!--<script>' });
  });

  test('refuses a script of its own that would end its element', () => {
    expect(() => verbatim('a = "</SCRIPT>"')).toThrow();
  });
});

describe('the page', () => {
  test('tells the verdict, the cure and the evidence in plain text', () => {
    const text = textOf(pageOf(leak));
    expect(text).toContain('1 error and 1 warning in ml_getleak');
    expect(text).toMatch(/What to do Call module_put\(\) on every path/);
    expect(text).toContain('111.799369');
    expect(text).toContain('took a reference');
    expect(text).toMatch(/line 310/);
    expect(text).toMatch(/1 reference out/);
    expect(text).toContain('module_get: ml_getleak call_site=ml_getleak_open');
  });

  test('has headings in order, labelled parts and table headers with a scope', () => {
    const page = pageOf(leak);
    const levels = [...page.matchAll(/<h([1-6])/g)].map(([, level]) => Number(level));
    expect(levels[0]).toBe(1);
    expect(levels.filter((level) => level === 1)).toHaveLength(1);
    expect(levels.every((level, index) => index === 0 || level <= levels[index - 1]! + 1)).toBe(true);
    expect(page).toMatch(/<html lang="en">/);
    expect(page).toMatch(/<main>/);
    expect(page).toMatch(/<nav aria-label=/);
    for (const [header] of page.matchAll(/<th(?=[ >])[^>]*>/g)) expect(header).toMatch(/scope="(row|col)"/);
    for (const [, label] of page.matchAll(/aria-labelledby="([^"]*)"/g))
      expect(page).toContain(`id="${label}"`);
  });

  test('gives every id once, and every link within it a target', async () => {
    for (const name of ['get-leak', 'lost-events', 'clean']) {
      const page = withoutAssets(pageOf(await dossierOf(tracefs(name))));
      const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
      expect(new Set(ids).size).toBe(ids.length);
      for (const [, target] of page.matchAll(/ href="#([^"]*)"/g)) expect(ids).toContain(target);
    }
  });

  test('allows nothing but its own scripts and style', () => {
    const page = pageOf(leak);
    const policy = /<meta http-equiv="Content-Security-Policy" content="([^"]*)">/.exec(page)![1]!;
    expect(page.indexOf('Content-Security-Policy')).toBeLessThan(page.indexOf('<style'));
    expect(policy).toMatch(/^default-src 'none'; /);
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    const sources = [...page.matchAll(/<(script|style)>(.*?)<\/\1>/gs)].map(([, , source]) => source!);
    expect(sources).toHaveLength(3);
    for (const source of sources)
      expect(policy).toContain(`'sha256-${createHash('sha256').update(source).digest('base64')}'`);
    expect(withoutAssets(page)).not.toMatch(/ (style|on\w+)=|src=|https?:/);
  });

  test('lets nothing of a trace become markup', () => {
    for (const name of ['ml_getleak', 'bash', 'tracefs']) {
      const page = pageOf(hostile(leak, name, PAYLOAD));
      expect(page).not.toContain('<script>hacked');
      expect(page).not.toContain('<img');
      expect(page).not.toContain('\u001b');
      expect(page).not.toContain('\u202e');
      expect([...page.matchAll(/<\/script>/g)]).toHaveLength(3);
      expect([...page.matchAll(/<\/style>/g)]).toHaveLength(1);
    }
  });

  test('quotes the lines of evidence from packed captures, too, and none where it cannot read twice', async () => {
    const path = join(folder, 'leak.gz');
    writeFileSync(path, gzipSync(readFileSync(tracefs('get-leak'))));
    expect((await dossierOf(path)).lines.map(({ text }) => text)).toEqual(leak.lines.map(({ text }) => text));
    expect(leak.lines.find(({ line }) => line === 310)!.text).toContain('module_get: ml_getleak');
    const pipe: Dossier = { ...leak, lines: [] };
    expect(pageOf(pipe)).not.toContain('class="lines"');
  });

  test('names the file of each line where there are several captures', async () => {
    const text = textOf(pageOf(await dossierOf(tracefs('get-leak'), tracefs('get-leak'))));
    expect(text).toContain('6.1-get-leak.txt:310');
  });

  test('is the same each time', async () => {
    expect(pageOf(await dossierOf(tracefs('get-leak')))).toBe(pageOf(leak));
  });

  test.each([
    ['clean', 'No module-lifetime bug found'],
    ['release-lucky', 'It can happen: ml_relexit_release()'],
    ['lost-events', 'too damaged to tell'],
    ['release-after-exit', 'the text is freed'],
  ])('of %s says %j', async (name, words) => {
    expect(textOf(pageOf(await dossierOf(tracefs(name))))).toContain(words);
  });

  test('says of a rule that was not asked that it was not, and what to record', () => {
    expect(textOf(pageOf(leak))).toContain('forced-unload not asked: no module_free in this capture');
  });

  test('says so where a chart is reduced', async () => {
    const path = join(folder, 'long.txt');
    let records = '';
    for (let i = 0; i < 5000; i++) {
      const time = (100 + i / 1000).toFixed(6);
      records += `             cat-7       [000] ..... ${time}: module_${i % 2 === 0 ? 'get' : 'put'}: foo call_site=bar refcnt=${2 - (i % 2)}\n`;
    }
    writeFileSync(path, records);
    const dossier = await dossierOf(path);
    expect(dossier.modules[0]!.series.points.length).toBeLessThanOrEqual(1000);
    expect(textOf(pageOf(dossier))).toMatch(/Reduced: 5,000 changes drawn as \d+ steps/);
  });

  test('stays small with many findings and modules, and counts what it leaves out', async () => {
    const finding = leak.report.findings[0]!;
    const module = leak.modules[0]!;
    const findings = Array.from({ length: 3000 }, () => ({ ...finding }));
    const modules = Array.from({ length: 200 }, (_, index) => ({ ...module, module: `m${index}` }));
    const page = pageOf({ ...leak, report: { ...leak.report, findings }, modules, modulesLeftOut: 800 });
    expect(page.length).toBeLessThan(5e6);
    expect(textOf(page)).toContain('and 1,850 findings more');
    expect(textOf(page)).toContain('800 more modules');
  });
});

describe('modlife report', () => {
  test('writes the file it is told to, and says so on stderr', async () => {
    const path = join(folder, 'report.html');
    const { stdout, stderr, status } = await runCli(['report', '-o', path, tracefs('get-leak')], {
      isTTY: true,
    });
    expect({ stdout, status }).toEqual({ stdout: '', status: 0 });
    expect(stderr).toBe(`modlife: wrote ${path}: errors 1, warnings 1, notes 0\n`);
    expect(readFileSync(path, 'utf8')).toBe(pageOf(leak));
  });

  test('writes to a pipe', async () => {
    const { stdout, stderr } = await runCli(['report', tracefs('get-leak')]);
    expect(stderr).toBe('');
    expect(stdout).toBe(pageOf(leak));
  });

  test('never writes over a capture', async () => {
    const path = join(folder, 'capture.txt');
    writeFileSync(path, readFileSync(tracefs('clean')));
    const { stderr, status } = await runCli(['report', '-o', path, path]);
    expect(status).toBe(2);
    expect(stderr).toContain('is a capture to be read');
  });

  test('tells of a store what it tells of its capture, save the lines themselves', async () => {
    const db = join(folder, 'leak.db');
    await runCli(['analyze', '--db', db, tracefs('get-leak')]);
    const { stdout } = await runCli(['report', db]);
    expect(stdout).toBe(pageOf({ ...leak, lines: [] }));
  });
});
