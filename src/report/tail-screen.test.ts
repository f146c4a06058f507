import { describe, expect, test } from 'vitest';
import type { Finding } from '../model/report.ts';
import type { TailChoice, TailView } from '../model/tail-view.ts';
import { drawTail } from './tail-screen.ts';

const finding: Finding = {
  rule: 'release-after-exit',
  severity: 'error',
  certainty: 'observed',
  fingerprint: 'b4ac6a9dc03f9eb0',
  module: 'ml_relexit',
  incarnation: 1,
  title: 'ml_relexit_release() was still running in kworker/u4:0/9 when rmmod/714 freed ml_relexit',
  detail: '',
  at: { ns: 163_331_730_000, input: 0, line: 351 },
  culprit: {
    symbol: 'ml_relexit_release [ml_relexit]',
    task: { comm: 'kworker/u4:0', pid: 9 },
    context: 'task',
  },
  evidence: [],
  fix: { text: '', pattern: '' },
};

const stack = ['module_get+0x5/0x90', 'misc_open+0xc1/0x120', 'chrdev_open+0xb0/0x230', 'do_dentry_open'];
const view: TailView = {
  source: '/var/log/traces/boot.trace',
  format: 'tracefs',
  clock: 'time',
  events: 1_234_567,
  rate: 4980.4,
  lost: 12,
  bad: 1,
  restarts: 1,
  modules: [
    { module: 'ml_relexit', state: 'freed', users: 0, gets: 0, puts: 0, worst: 'error' },
    {
      module: 'dm_mod',
      state: 'live',
      users: 3,
      gets: 12.4,
      puts: 12,
      oldest: {
        age: 7 * 60e9,
        site: 'dm_get_md_type_of_a_very_long_name [dm_mod]',
        task: { comm: 'udevd', pid: 77 },
      },
      worst: 'warning',
    },
    ...Array.from({ length: 30 }, (_, at) => ({
      module: `snd_${String(at).padStart(2, '0')}`,
      state: 'live' as const,
      users: 0,
      gets: 0,
      puts: 0.4,
    })),
  ],
  findings: [
    { finding, provisional: false },
    {
      finding: {
        ...finding,
        rule: 'ref-leak',
        severity: 'warning',
        certainty: 'possible',
        module: 'dm_mod',
        title: 'dm_get_md took a reference to dm_mod that dm_put() did not give back',
      },
      provisional: true,
    },
  ],
  found: 1,
  holders: [
    { site: 'misc_open', task: { comm: 'cat', pid: 42 }, age: 4e6, stack },
    { site: 'dm_open [dm_mod]', task: { comm: 'lvm', pid: 43 }, age: 12e9, within: 'dm_blk_open' },
  ],
};
const choice: TailChoice = { paused: false, selected: undefined, holders: false, filter: '', typing: false };

const sizes = [
  { columns: 80, rows: 24 },
  { columns: 200, rows: 50 },
];
const choices: Readonly<Record<string, TailChoice>> = {
  'the findings': choice,
  'the holders of a module': { ...choice, selected: 'dm_mod', holders: true },
  'paused, filtered, far down': { ...choice, paused: true, selected: 'snd_29', filter: 'snd' },
};

describe.each(sizes)('at $columns×$rows', (size) => {
  test.each(Object.entries(choices))('%s', (_, choice) => {
    const lines = drawTail(view, choice, size, false);
    expect(lines).toHaveLength(size.rows);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(size.columns);
    expect(`\n${lines.join('\n').replace(/ +$/gm, '')}\n`).toMatchSnapshot();
  });
});

test('fits any terminal', () => {
  for (let rows = 1; rows < 30; rows++) {
    for (const columns of [10, 33, 61]) {
      for (const chosen of Object.values(choices)) {
        const lines = drawTail(view, chosen, { columns, rows }, false);
        expect(lines).toHaveLength(rows);
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
      }
    }
  }
});

test('nothing from the trace acts on the terminal', () => {
  const evil = '\u001b[2J\u009b\u202e\r';
  const hostile: TailView = {
    ...view,
    source: evil,
    modules: [
      {
        ...view.modules[1]!,
        module: evil,
        oldest: { age: 1, site: evil, task: { comm: evil, pid: 1 } },
      },
    ],
    findings: [
      {
        finding: {
          ...finding,
          module: evil,
          title: evil,
          culprit: { ...finding.culprit, task: { comm: evil, pid: 1 } },
        },
        provisional: false,
      },
    ],
    holders: [{ site: evil, task: { comm: evil, pid: 1 }, age: 1, stack: [evil], within: evil }],
  };
  for (const chosen of [
    { ...choice, filter: evil },
    { ...choice, filter: evil, typing: true },
    { ...choice, selected: evil, holders: true },
  ]) {
    const screen = drawTail(hostile, chosen, { columns: 200, rows: 50 }, false).join('');
    expect(screen).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
  }
});
