import { parse as parseCsv } from 'csv-parse/sync';
import { parse as parseJunit } from 'junit2json';
import type { Log } from 'sarif';
import { SaxesParser } from 'saxes';
import { Parser as TapParser } from 'tap-parser';
import { describe, expect, test } from 'vitest';
import { formatReport, type ReportFormat } from '../cli/report-formats.ts';
import type { Report } from '../model/report.ts';
import { reportSchema } from '../model/report.ts';
import { PAYLOAD } from '../testing/page-of.ts';
import { runCli } from '../testing/run-cli.ts';

const samples = ['6.1-get-leak', '6.1-release-after-exit', '6.1-lost-events'];
const sampleFile = (name: string) => `samples/tracefs/${name}.txt`;

async function reportOf(name: string): Promise<Report> {
  return reportSchema.parse(JSON.parse((await runCli(['analyze', '--json', sampleFile(name)])).stdout));
}

function printed(report: Report, format: ReportFormat, failOn: 'error' | 'warning' = 'error') {
  return formatReport(report, format, { failOn, allowGaps: false }, { width: 80, color: false });
}

describe.each(samples)('%s', (name) => {
  test.each(['junit', 'ktap', 'csv', 'ndjson', 'sarif'] as const)(
    'as %s is as its golden',
    async (format) => {
      const { stdout } = await runCli(['analyze', '--to', format, sampleFile(name)]);
      // The texts of the rules are the same in all of them.
      const told = format === 'sarif' ? withoutHelp(stdout) : stdout;
      await expect(told).toMatchFileSnapshot(`goldens/${name}.${format}`);
    },
  );
});

function withoutHelp(text: string): string {
  const log = JSON.parse(text) as Log;
  for (const { tool } of log.runs) tool.driver.rules = tool.driver.rules!.map(({ id }) => ({ id }));
  return `${JSON.stringify(log, undefined, 1)}\n`;
}

describe('names that nobody would choose', () => {
  const names = [
    PAYLOAD,
    ']]></failure></testcase>',
    '\u0000\u0001\u001b[31m\r\n',
    'a\n  not ok 2 forged\nBail out! now # SKIP',
    '=HYPERLINK("http://example.invalid")',
    '@SUM(1)\t+1',
    '\ud800 half a pair \udc00',
    '\ufffe\uffff',
    '[mod](http://example.invalid) {0}',
    '',
  ];

  async function renamed(to: string): Promise<Report> {
    const report = await reportOf('6.1-get-leak');
    const quoted = JSON.stringify(to).slice(1, -1);
    const text = JSON.stringify(report).replaceAll(
      /ml_getleak_open|ml_getleak|bash|6\.1-get-leak\.txt/g,
      () => quoted,
    );
    return reportSchema.parse(JSON.parse(text));
  }

  test.each(names)('%j in SARIF are text', async (name) => {
    const report = await renamed(name);
    const text = await printed(report, 'sarif');
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]|(?<!\\)\\ud[89a-f]/);
    const [run] = (JSON.parse(text) as Log).runs;
    expect(run!.results).toHaveLength(report.findings.length);
    for (const { message, locations } of run!.results!) {
      expect(message.text).not.toMatch(/\]\(|(^|[^{])\{([^{]|$)/);
      expect(decodeURIComponent(locations![0]!.physicalLocation!.artifactLocation!.uri!)).toContain(
        'samples/',
      );
    }
  });

  test.each(names)('%j in JUnit are text', async (name) => {
    const report = await renamed(name);
    const text = await printed(report, 'junit', 'warning');
    const faults: string[] = [];
    const parser = new SaxesParser();
    parser.on('error', ({ message }) => faults.push(message));
    parser.write(text).close();
    expect(faults).toEqual([]);
    const suites = await parseJunit(text);
    expect(suites).toMatchObject({ tests: 13, failures: 2, errors: 0, skipped: 1 });
    const cases = suites && 'testsuite' in suites ? suites.testsuite![0]!.testcase! : [];
    expect(cases.filter(({ failure }) => failure !== undefined).map((one) => one.name)).toEqual([
      'ref-leak',
      'unprotected-get',
    ]);
  });

  test.each(names)('%j in KTAP are comments', async (name) => {
    const results = (tap: string) => {
      const nested = tap.split('\n').filter((line) => line.startsWith('  '));
      return [tap, nested.map((line) => line.slice(2)).join('\n')].map((text) =>
        TapParser.parse(text).filter(([type]) => type === 'plan' || type === 'assert' || type === 'bailout'),
      );
    };
    const benign = results(await printed(await reportOf('6.1-get-leak'), 'ktap'));
    expect(benign.map((events) => events.length)).toEqual([2, 14]);
    expect(results(await printed(await renamed(name), 'ktap'))).toEqual(benign);
  });

  test.each(names)('%j in CSV are cells, and no formulas', async (name) => {
    const report = await renamed(name);
    const [header, ...rows]: string[][] = parseCsv(await printed(report, 'csv'));
    expect(rows.map((row) => row[header!.indexOf('fingerprint')])).toEqual(
      report.findings.map(({ fingerprint }) => fingerprint),
    );
    for (const cell of rows.flat()) expect(cell).not.toMatch(/^[=+\-@]|[\u0000-\u001f]/);
  });

  test.each(names)('%j in NDJSON come back', async (name) => {
    const report = await renamed(name);
    const lines = (await printed(report, 'ndjson')).trimEnd().split('\n');
    const whole = JSON.stringify(report.findings).replaceAll(/\\ud[89a-f][0-9a-f]{2}/g, '\ufffd');
    expect(lines.map((line) => JSON.parse(line))).toEqual(
      (JSON.parse(whole) as Report['findings']).map((finding) => ({ path: expect.any(String), ...finding })),
    );
  });
});

describe('SARIF', () => {
  test('has a rule for each pass, with the text of explain', async () => {
    const report = await reportOf('6.1-get-leak');
    const [run] = (JSON.parse(await printed(report, 'sarif')) as Log).runs;
    const { rules } = run!.tool.driver;
    expect(rules!.map(({ id }) => id)).toEqual(report.passes.map(({ rule }) => rule));
    for (const { id, help } of rules!) expect(help!.text).toBe((await runCli(['explain', id])).stdout);
    for (const { ruleId, ruleIndex } of run!.results!) expect(rules![ruleIndex!]!.id).toBe(ruleId);
  });

  test('says which rules did not run, and what was lost', async () => {
    const report = await reportOf('6.1-lost-events');
    const [run] = (JSON.parse(await printed(report, 'sarif')) as Log).runs;
    const told = run!.invocations![0]!.toolExecutionNotifications!;
    expect(told.flatMap(({ associatedRule }) => associatedRule?.id ?? [])).toEqual(
      report.passes.filter(({ ran }) => !ran).map(({ rule }) => rule),
    );
    expect(told.filter(({ descriptor }) => descriptor?.id === 'events-lost')).toHaveLength(1);
  });

  test('numbers the evidence across tasks as it happened', async () => {
    const report = await reportOf('6.1-release-after-exit');
    const [run] = (JSON.parse(await printed(report, 'sarif')) as Log).runs;
    const { threadFlows } = run!.results![0]!.codeFlows![0]!;
    expect(threadFlows.length).toBeGreaterThan(1);
    const lines = threadFlows
      .flatMap(({ locations }) => locations)
      .sort((a, b) => a.executionOrder! - b.executionOrder!)
      .map(({ location }) => location!.physicalLocation!.region!.startLine);
    expect(lines).toEqual(report.findings[0]!.evidence.map(({ line }) => line));
  });

  test('an absolute path is a file URI, and no name can end the path', async () => {
    const report = await reportOf('6.1-get-leak');
    const uri = async (path: string) => {
      const inputs = report.inputs.map((input) => ({ ...input, path }));
      const [run] = (JSON.parse(await printed({ ...report, inputs }, 'sarif')) as Log).runs;
      return run!.artifacts![0]!.location!.uri;
    };
    expect(await uri('/tmp/a b?c#d.txt')).toBe('file:///tmp/a%20b%3Fc%23d.txt');
    expect(await uri('http://x/y')).toBe('http%3A//x/y');
    expect(await uri('-')).toBe('stdin');
  });
});

test('a damaged capture is an error in a test report, since no rule that passed proves anything', async () => {
  const report = await reportOf('6.1-clean');
  const inputs = report.inputs.map((input) => ({ ...input, lost: input.events + 1 }));
  const damaged = { ...report, inputs };
  expect(await parseJunit(await printed(damaged, 'junit'))).toMatchObject({ failures: 0, errors: 1 });
  expect(await printed(damaged, 'ktap')).toMatch(/^ {2}not ok 1 capture # ERROR Nothing .*too damaged/m);
  const bar = { failOn: 'error', allowGaps: true } as const;
  const trusted = await formatReport(damaged, 'junit', bar, { width: 80, color: false });
  expect(await parseJunit(trusted)).toMatchObject({ errors: 0 });
});

test('--json is the short form of --to json, and both at once are refused', async () => {
  const file = sampleFile('6.1-clean');
  const { stdout } = await runCli(['analyze', '--to', 'json', file]);
  expect(stdout).toBe((await runCli(['analyze', '--json', file])).stdout);
  const { stderr, status } = await runCli(['analyze', '--json', '--to', 'csv', file]);
  expect(stderr).toContain("'--to <format>'");
  expect(status).toBe(2);
});
