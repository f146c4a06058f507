/** What the kernel sees of a run: which files, processes and connections; and what a run makes of a disk that fails. */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../package-root.ts';
import { PROGRAM } from '../testing/built-program.ts';

const tried = spawnSync('strace', ['-f', '-qq', '-o', '/dev/null', 'true'], { encoding: 'utf8' });
const untraceable = tried.error?.message ?? (tried.status === 0 ? undefined : tried.stderr.trim());
if (untraceable !== undefined) console.warn(`not tested, since nothing can be traced here: ${untraceable}`);

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'modlife-test-')));
const temporary = join(folder, 'temporary');
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(() => {
  mkdirSync(temporary);
});

interface Traced {
  readonly calls: readonly string[];
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
}

/** Streams are files: a pipe of Node's is a socket. */
function traced(strace: readonly string[], node: readonly string[]): Traced {
  const names = ['calls', 'stdout', 'stderr'].map((name) => join(folder, `${name}.txt`));
  const [calls, ...streams] = names as [string, ...string[]];
  const [stdout, stderr] = streams.map((name) => openSync(name, 'w'));
  try {
    const { status } = spawnSync(
      'strace',
      ['-f', '-qq', '-s', '4096', '-o', calls, ...strace, process.execPath, ...node],
      {
        stdio: ['ignore', stdout, stderr],
        env: { ...process.env, TMPDIR: temporary, NODE_OPTIONS: '' },
      },
    );
    const [told, out, err] = names.map((name) => readFileSync(name, 'utf8'));
    return { calls: told!.split('\n'), stdout: out!, stderr: err!, status };
  } finally {
    closeSync(stdout!);
    closeSync(stderr!);
  }
}

describe.skipIf(untraceable !== undefined)('a run opens nothing that a capture names', () => {
  const bait = join(folder, 'bait');
  const LEAK = join(packageRoot(), 'samples/tracefs/6.1-get-leak.txt');
  const evil = join(folder, 'evil.txt');
  const CALLS = ['-e', 'trace=network,process,open,openat,openat2,creat'];

  /** Paths, commands and addresses wherever a trace has a name. */
  function plant(): void {
    mkdirSync(bait);
    for (const name of ['file', 'drv.ko', 'manifest.json']) writeFileSync(join(bait, name), 'bait');
    const text = readFileSync(LEAK, 'utf8')
      .replaceAll('ml_getleak_open', `${bait}/file`)
      .replaceAll('ml_getleak', '../bait/drv.ko')
      .replaceAll(' bash-', '$(>bait)-')
      .replaceAll('systemd-udevd', 'http://127.1/');
    expect(text).toContain(bait);
    writeFileSync(evil, text);
  }
  beforeAll(plant);

  const output = join(folder, 'report.html');
  const store = join(folder, 'evil.db');
  const sample = (name: string) => join(packageRoot(), 'samples', name);
  const runs: readonly (readonly [args: readonly string[], mayWrite: string])[] = [
    [['analyze', evil], ''],
    [['analyze', '--to', 'sarif', evil], ''],
    [['analyze', sample('trace-dat/3.1.6-v7-zstd.dat')], ''],
    [['analyze', sample('one-run/6.1-get-leak-perf.txt.xz')], ''],
    [['analyze', sample('one-run/6.1-get-leak-trace.dat.xz')], temporary],
    [['report', '-o', output, evil], output],
    [['holders', '../bait/drv.ko', evil], ''],
    [['why-busy', '../bait/drv.ko', evil], ''],
    [['balance', evil], temporary],
    [['query', 'findings', evil], temporary],
    [['query', '--sql', `SELECT * FROM events WHERE comm = '${bait}/file'`, evil], temporary],
    [['export', '--to', 'perfetto', '-o', join(folder, 'out.json'), evil], join(folder, 'out.json')],
    [['analyze', '--db', store, evil], store],
    [['query', 'holders', store], ''],
    [['diff', store, evil], ''],
    [['doctor', evil], ''],
    [['explain', 'ref-leak'], ''],
  ];

  /** The program itself, and what Node opens before it runs a line of it. */
  function isOurs(path: string): boolean {
    return ['node_modules', 'dist', 'bin', 'queries', 'samples', 'src', 'collectors', 'package.json'].some(
      (part) => path.startsWith(join(packageRoot(), part)),
    );
  }
  const opened = (calls: readonly string[]) =>
    calls.flatMap((call) => {
      const [, path, flags] =
        /\bopen(?:at2?)?\((?:[\w<>/-]+, )?"((?:[^"\\]|\\.)*)", ([^)]*)/.exec(call) ?? [];
      return path === undefined ? [] : [{ path, writes: /O_(?:WRONLY|RDWR|CREAT)/.test(flags!) }];
    });
  let byNode: ReadonlySet<string>;
  beforeAll(() => {
    const empty = join(folder, 'empty.mjs');
    // Workers, wasm and the time zone are looked up when they are first used.
    writeFileSync(empty, 'new Date().toString()');
    byNode = new Set(opened(traced(CALLS, [empty]).calls).map(({ path }) => path));
  });

  test.each(runs.map(([args, mayWrite]) => [args.slice(0, 3).join(' '), args, mayWrite] as const))(
    '%s',
    (_, args, mayWrite) => {
      const { calls, stderr, status } = traced(CALLS, [PROGRAM, ...args]);
      expect([0, 1], stderr).toContain(status);
      expect(
        calls.filter((call) => /\b(?:socket|socketpair|connect|bind|listen|sendto|sendmsg)\(/.test(call)),
      ).toEqual([]);
      expect(calls.filter((call) => /\bexecve(?:at)?\(/.test(call))).toHaveLength(1);
      const processes = calls.filter(
        (call) => /\b(?:v?fork|clone3?)\(/.test(call) && !call.includes('CLONE_THREAD'),
      );
      expect(processes).toEqual([]);

      const all = opened(calls);
      const named = all.filter(({ path }) => path.includes('bait'));
      expect(named).toEqual([]);
      // Whether it is a capture directory is asked of its manifest.
      const mine = new Set([...byNode, ...args, ...args.map((arg) => join(arg, 'manifest.json'))]);
      const strange = all.filter(
        ({ path }) =>
          !mine.has(path) &&
          !isOurs(path) &&
          !(mayWrite !== '' && path.startsWith(mayWrite)) &&
          !/^\/(?:proc|sys|dev|etc|lib|lib64|usr)\//.test(path),
      );
      expect(strange).toEqual([]);
      const written = all.filter(({ path, writes }) => writes && path !== '/dev/null');
      for (const { path } of written) {
        expect(mayWrite).not.toBe('');
        expect(path.startsWith(mayWrite) || path === dirname(mayWrite)).toBe(true);
      }
      expect(readdirSync(temporary)).toEqual([]);
    },
  );

  test('that would be seen', () => {
    const script = join(folder, 'caught.mjs');
    writeFileSync(
      script,
      `import { readFileSync } from 'node:fs'; import { execFileSync } from 'node:child_process'; import { connect } from 'node:net';
      readFileSync(${JSON.stringify(join(bait, 'file'))}); execFileSync('true'); connect(1, '127.0.0.1').on('error', () => {});`,
    );
    const { calls } = traced(CALLS, [script]);
    expect(opened(calls).some(({ path }) => path.includes('bait'))).toBe(true);
    expect(calls.filter((call) => /\bexecve\(/.test(call)).length).toBeGreaterThan(1);
    expect(calls.some((call) => /\bconnect\(/.test(call))).toBe(true);
  });
});

describe.skipIf(untraceable !== undefined)('a disk that fails while a store is written', () => {
  const LEAK = 'samples/tracefs/6.1-get-leak.txt';
  /** Every so many-th call of each kind; all of them in `npm run fuzz`. */
  const STEP = process.env.FUZZ_SECONDS === undefined ? 14 : 1;

  test('is told in one line with its name, and the older store stays whole', () => {
    const place = join(folder, 'failing');
    mkdirSync(place);
    const db = join(place, 'kept.db');
    expect(spawnSync(process.execPath, [PROGRAM, 'analyze', '--db', db, LEAK]).status).toBe(1);
    const before = readFileSync(db);
    const counted = traced(
      ['-e', 'trace=pwrite64,fsync,rename'],
      [PROGRAM, 'analyze', '--db', db, LEAK],
    ).calls;
    writeFileSync(db, before);
    let injected = 0;
    for (const [call, error] of [
      ['pwrite64', 'EIO'],
      ['pwrite64', 'ENOSPC'],
      ['fsync', 'EIO'],
      ['rename', 'EACCES'],
    ] as const) {
      const times = counted.filter((line) => line.includes(` ${call}(`)).length;
      expect(times).toBeGreaterThan(0);
      for (let nth = 1; nth <= times; nth += STEP) {
        const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:error=${error}:when=${nth}+`];
        const { stdout, stderr, status } = traced(inject, [PROGRAM, 'analyze', '--db', db, LEAK]);
        expect(stderr, `${call} ${nth}`).toMatch(/^modlife: cannot write .+\n$/);
        expect(stderr).toContain(db);
        expect(stdout).toBe('');
        expect(status).toBe(2);
        expect(readFileSync(db).equals(before)).toBe(true);
        expect(readdirSync(place)).toEqual(['kept.db']);
        injected++;
      }
    }
    console.log(`${injected} calls failed`);
  }, 600_000);
});
