/** What people see: each golden is a terminal session, read in review like code. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { runCli, transcript } from '../testing/run-cli.ts';

const tracefs = (name: string) => `samples/tracefs/${name}.txt`;
const leak = tracefs('6.1-get-leak');

const sessions: Readonly<Record<string, readonly (readonly string[])[]>> = {
  help: [
    ['--help'],
    ...[
      'analyze',
      'report',
      'tail',
      'holders',
      'why-busy',
      'balance',
      'query',
      'diff',
      'export',
      'capture',
      'doctor',
      'ci',
      'explain',
      'schema',
      'completion',
      'man',
    ].map((name) => [name, '--help']),
  ],
  analyze: [
    ['analyze', tracefs('6.1-stuck-unload'), 'samples/kernel-log/6.1-stuck-unload-dmesg.txt'],
    ['analyze', 'samples/inside/6.1-stuck-unload-report.txt'],
  ],
  mistakes: [
    [],
    ['analyse', leak],
    [leak],
    ['analyze', '--fail-on', 'nonsense', leak],
    ['analyze', '--jsn', leak],
    ['analyze', 'samples/none.txt'],
    ['analyze', '-', '-'],
    ['diff', leak],
    ['diff', '-', '-'],
    ['export', leak],
    ['export', '--to', 'parquet', leak],
    ['schema', 'morse'],
    ['holders'],
    ['holders', 'ml_getleek', leak],
    ['holders', 'dm_mod', leak],
    ['holders', '--at', 'noon', 'ml_getleak', leak],
    ['balance', '--by', 'moon', leak],
    ['query', 'holder', leak],
    ['query', 'holders', '-p', 'module', leak],
    ['query', 'holders', '-p', 'modul=a', leak],
    ['query', 'holders', '-p', 'module=ml_getleek', leak],
    ['query', '--sql', 'DELETE FROM modules', leak],
    ['explain', 'ref-lek'],
    ['explain', 'zzzzzzzzzz'],
    ['completion', 'tcsh'],
    ['tail', 'samples/none.txt'],
    ['tail', leak, tracefs('6.1-clean')],
    ['tail', 'samples/trace-dat/3.1.6-v6.dat'],
  ],
  holders: [
    ['holders', 'ml-getleak', leak],
    ['holders', '--at', '111.72', 'ml_getleak', leak],
    ['holders', '--at', '111.799369', 'ml_getleak', leak],
    ['holders', '--at', '111720000000ns', 'ml_getleak', leak],
    ['holders', '--at', '1', 'ml_getleak', leak],
    ['holders', '--at', '90', 'ml_reg', tracefs('6.1-put-after-failed-get')],
    ['holders', 'ml_reg', tracefs('6.1-put-after-failed-get')],
    ['holders', '--at', '15', 'ml_clean', tracefs('6.1-options/clock-counter')],
  ],
  'why-busy': [
    ['why-busy', 'ml_getleak', leak],
    ['why-busy', 'ml_stuck', tracefs('6.1-stuck-unload')],
    ['why-busy', 'ml_stuck', 'samples/kernel-log/6.1-stuck-unload-dmesg.txt'],
    ['why-busy', 'ml_closerace', tracefs('6.1-close-race')],
    ['why-busy', 'ml_ref', tracefs('6.1-release-after-exit')],
  ],
  diff: [
    ['diff', tracefs('6.1-get-leak-fixed'), leak],
    ['diff', leak, tracefs('6.1-get-leak-fixed')],
    ['diff', '--fail-on', 'note', tracefs('6.1-release-after-exit'), tracefs('6.1-lost-events')],
    ['diff', '--allow-gaps', tracefs('6.1-release-after-exit'), tracefs('6.1-lost-events')],
  ],
  balance: [
    ['balance', leak],
    ['balance', '--all', leak],
    ['balance', '--by', 'task', '-m', 'ml-reg', tracefs('6.1-put-after-failed-get')],
    ['balance', '--by', 'stack', leak],
  ],
  query: [
    ['query'],
    ['query', 'modules', leak],
    ['query', 'holders', leak],
    ['query', 'balance', '-p', 'module=ml_getleak', '--csv', leak],
    ['query', 'modules', '-p', 'module=ml-getleak', leak],
    ['query', '--sql', 'SELECT kind, count(*) AS n FROM events GROUP BY kind', leak],
    ['query', '--sql', 'SELECT 1 WHERE 0', leak],
  ],
  explain: [['explain'], ['explain', 'ref-leak'], ['explain', 'release-after-exit']],
};

describe.each(Object.entries(sessions))('%s', (name, commands) => {
  test('says what its transcript says', async () => {
    const said: string[] = [];
    for (const args of commands) said.push(await transcript(args));
    await expect(said.join('\n')).toMatchFileSnapshot(`transcripts/${name}.txt`);
  });

  test('keeps to 80 columns, or to the width of the terminal', async () => {
    for (const args of commands.filter((args) => !args.includes('--csv'))) {
      // Commander's help is laid out for 80.
      for (const columns of args.length === 0 || args.includes('--help') ? [80, 200] : [60, 80, 200]) {
        const { stdout } = await runCli(args, { isTTY: true, columns, env: { NO_COLOR: '1' } });
        const longest = Math.max(...stdout.split('\n').map((line) => line.length));
        expect(longest, args.join(' ')).toBeLessThanOrEqual(Math.min(columns, 120));
      }
    }
  });
});

describe('every answer', () => {
  const answers = [
    ['analyze', leak],
    ['holders', 'ml_getleak', leak],
    ['why-busy', 'ml_getleak', leak],
    ['balance', leak],
    ['balance', '--by', 'stack', leak],
    ['query', 'modules', leak],
    ['diff', leak, leak],
    ['query'],
    ['explain'],
    ['explain', 'ref-leak'],
  ];

  test.each(answers)('is one JSON object with --json: %s %s', async (...args) => {
    const { stdout, stderr } = await runCli([...args, '--json']);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toBeTypeOf('object');
  });

  test('is coloured on a terminal only, and not under NO_COLOR', async () => {
    const args = ['analyze', leak];
    const colours = async (terminal: Parameters<typeof runCli>[1]) =>
      (await runCli(args, terminal)).stdout.includes('\u001b[');
    expect(await colours({ isTTY: true })).toBe(true);
    expect(await colours({ isTTY: true, env: { NO_COLOR: '1' } })).toBe(false);
    expect(await colours({ isTTY: true, env: { TERM: 'dumb' } })).toBe(false);
    expect(await colours({ isTTY: false })).toBe(false);
  });

  test('leaves no temporary store behind', async () => {
    // A folder of its own: other tests have stores there at the same time.
    const folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
    vi.stubEnv('TMPDIR', folder);
    await runCli(['query', 'modules', leak]);
    await runCli(['query', 'nonsense', leak]);
    await runCli(['balance', '--by', 'task', leak]);
    await runCli(['export', '--to', 'csv', leak]);
    vi.unstubAllEnvs();
    expect(readdirSync(folder)).toEqual([]);
    rmSync(folder, { recursive: true });
  });
});

describe('a capture that wants to speak to the terminal', () => {
  const folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'evil.txt');
  // A comm may hold anything prctl() takes, also what moves the cursor, renames the window or reorders text.
  const comm = '\u001b[2J\u009b\u202e\r';
  writeFileSync(
    path,
    [
      '# tracer: nop',
      '#',
      `           ${comm}-42      [000] .....     1.000000: module_load: evil `,
      `           ${comm}-42      [000] .....     1.000010: module_put: evil call_site=do_init_module refcnt=1`,
      `           ${comm}-42      [000] .....     2.000000: module_get: evil call_site=evil\u001b[31m_open [evil] refcnt=2`,
      `           ${comm}-42      [000] .....     3.000000: module_get: evil\u001b[5m call_site=misc_open refcnt=`,
      '',
    ].join('\n'),
  );

  test.each([
    ['analyze', path],
    ['analyze', '--json', path],
    ['holders', 'evil', path],
    ['holders', 'evil', '--json', path],
    ['holders', 'ev\u001b[2Jil', path],
    ['why-busy', 'evil', path],
    ['balance', path],
    ['balance', '--by', 'task', path],
    ['query', 'holders', path],
    ['query', 'events', '--csv', path],
    ['query', 'events', '--json', path],
    ['query', '--sql', "SELECT comm AS 'a\u001b[2Jb' FROM events", path],
    ['explain', '\u001b[2J'],
    ['analyze', '\u001b[2J.txt'],
    ['\u001b[2J'],
  ])('does not get through: %s', async (...args) => {
    const { stdout, stderr } = await runCli(args);
    expect(stdout + stderr).not.toBe('');
    expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  });
});
