/** What only a process of its own can show: what it is allowed, what a kill leaves, what a full disk does to it. */
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { isStore } from '../store/is-store.ts';
import { openStore } from '../store/open-store.ts';
import { PROGRAM } from '../testing/built-program.ts';
import { runCli } from '../testing/run-cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const LEAK = 'samples/tracefs/6.1-get-leak.txt';

function modlife(args: readonly string[], node: readonly string[] = []): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [...node, PROGRAM, ...args], { encoding: 'utf8' });
}

describe('reading a capture', () => {
  // Neither file written nor program started nor native code loaded: the model has no word for networks.
  const permission = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  const READ_ONLY = [permission, '--allow-fs-read=/', '--no-warnings'];
  const samples = [
    LEAK,
    'samples/trace-dat/3.1.6-v6.dat',
    'samples/trace-cmd/3.1.6-report.txt',
    'samples/perf-script/6.1-get-leak.txt',
    'samples/bpftrace/6.1-leak.json',
    'samples/kernel-log/6.1-stuck-unload-dmesg.txt',
  ];

  const commands = [
    ...samples.map((sample) => ['analyze', sample]),
    ['holders', 'ml_getleak', LEAK],
    ['why-busy', 'ml_getleak', LEAK],
    ['balance', LEAK],
    ['report', LEAK],
    ['explain', 'ref-leak'],
    ['schema'],
  ];
  test.each(commands.map((args) => [args.join(' '), args] as const))(
    '%s needs no right but to read',
    (_, args) => {
      const free = modlife(args);
      const bound = modlife(args, READ_ONLY);
      expect(free.stdout).not.toBe('');
      expect(bound).toMatchObject({ stdout: free.stdout, stderr: free.stderr, status: free.status });
    },
  );

  test('nothing of ours speaks to a network', () => {
    const sources = ['src', 'collectors'].flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
    );
    const speaking = sources
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .filter((name) =>
        /from 'node:(?:net|tls|https?|http2|dgram|dns|inspector)'|\bfetch\(|\bWebSocket\(/.test(
          readFileSync(name, 'utf8'),
        ),
      );
    // It reads a FIFO through a socket made of its descriptor, which waits without a thread.
    expect(speaking).toEqual(['src/tail/source.ts']);
  });

  test('that bound holds: a store would be written', () => {
    const { status, stderr } = modlife(['analyze', '--db', join(folder, 'bound.db'), LEAK], READ_ONLY);
    expect(stderr).toContain('restricted');
    expect(status).not.toBe(0);
  });
});

describe('killed while it writes a store', () => {
  test('it leaves the older store whole, and no half of a new one under its name', async () => {
    const trace = join(folder, 'long.txt');
    writeFileSync(trace, readFileSync(LEAK, 'utf8').repeat(400));
    const db = join(folder, 'kept.db');
    expect(modlife(['analyze', '--db', db, LEAK]).status).toBe(1);
    const before = readFileSync(db);
    let killed = 0;
    for (let delay = 120; delay < 600; delay += 60) {
      const child = spawn(process.execPath, [PROGRAM, 'analyze', '--db', db, trace], { stdio: 'ignore' });
      const ended = once(child, 'exit');
      await setTimeout(delay);
      child.kill('SIGKILL');
      const [, signal] = await ended;
      if (signal !== 'SIGKILL') break;
      killed++;
      expect(readFileSync(db).equals(before)).toBe(true);
    }
    expect(killed).toBeGreaterThan(0);
    for (const name of readdirSync(folder).filter((name) => name.endsWith('.partial'))) {
      expect(name).toMatch(/^kept\.db\.[0-9a-f]{8}\.partial$/);
      expect(isStore(join(folder, name))).toBe(false);
    }
    const [repeated] = [modlife(['analyze', '--json', db])];
    expect(JSON.parse(repeated!.stdout).findings).not.toEqual([]);
  });
});

describe('killed while it follows a file into a store', () => {
  const whole = readFileSync(LEAK);
  const db = join(folder, 'live.db');
  const growing = join(folder, 'growing.txt');
  const events = () => {
    if (!isStore(db)) return 0;
    const store = openStore(db);
    const [[count]] = store.sql('SELECT count(*) FROM events').rows as [[number]];
    store.close();
    return count;
  };

  async function following(bytes: Buffer, signal: NodeJS.Signals, meanwhile: () => void): Promise<void> {
    const before = events();
    appendFileSync(growing, bytes);
    const child = spawn(process.execPath, [PROGRAM, 'tail', '--plain', '--db', db, growing], {
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    for (let left = 100; events() <= before; left--) {
      if (left === 0) throw new Error('nothing was stored');
      await setTimeout(50);
    }
    meanwhile();
    child.kill(signal);
    await ended;
  }

  test('others ask it meanwhile, nothing is lost or doubled, and the next run goes on', async () => {
    const cuts = [0, 0.7, 0.85, 1].map((part) => Math.floor(part * whole.length));
    for (const [at, signal] of (['SIGKILL', 'SIGKILL', 'SIGINT'] as const).entries()) {
      const bytes = whole.subarray(cuts[at], cuts[at + 1]);
      await following(bytes, signal, () => {
        const question = signal === 'SIGINT' ? 'why-busy' : 'holders';
        expect(modlife([question, 'ml_getleak', db])).toMatchObject({ status: 0, stderr: '' });
      });
    }
    expect(modlife(['analyze', '--json', db]).stdout).toBe(modlife(['analyze', '--json', growing]).stdout);
  });
});

const hasTerminals = spawnSync('script', ['--version']).status === 0;

describe.skipIf(!hasTerminals)('on a terminal', () => {
  const ENTER = '\u001b[?1049h';
  const LEAVE = '\u001b[?1049l';

  /** What a terminal shows on which each key is pressed when what is before it was shown, in turn. */
  async function shown(
    command: string,
    steps: readonly (readonly [after: string, key: string])[],
  ): Promise<string> {
    const child = spawn('script', ['-qfec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(child, 'close');
    let seen = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      seen += text;
    });
    let from = 0;
    for (const [after, key] of steps) {
      for (let left = 200; seen.indexOf(after, from) < 0; left--) {
        if (left === 0) throw new Error(`never shown: ${JSON.stringify(after)} in ${JSON.stringify(seen)}`);
        await setTimeout(50);
      }
      from = seen.indexOf(after, from) + after.length;
      child.stdin.write(key);
    }
    await ended;
    return seen;
  }

  const order = (seen: string) =>
    [...seen.matchAll(/\u001b\[\?1049[hl]|(?<=\n)it is stopped/g)].map(([found]) =>
      found === ENTER ? 'enter' : found === LEAVE ? 'leave' : 'stopped',
    );

  test('^Z gives it back to the shell, and fg takes it again', async () => {
    const tail = `'${process.execPath}' '${PROGRAM}' tail '${LEAK}'`;
    const seen = await shown(`bash -c "set -m; ${tail}; echo it is stopped; fg"`, [
      ['ml_getleak', '\u001a'],
      ['it is stopped', ''],
      ['ml_getleak', 'q'],
    ]);
    expect(order(seen).join(' ')).toMatch(/^enter leave stopped enter( enter)? leave$/);
    expect(seen.slice(seen.lastIndexOf(LEAVE))).toContain('1 error');
  });

  test('^Z where no shell could go on with it stops nothing', async () => {
    const seen = await shown(`exec '${process.execPath}' '${PROGRAM}' tail '${LEAK}'`, [
      ['ml_getleak', '\u001a'],
      [LEAVE, ''],
      ['ml_getleak', 'q'],
    ]);
    expect(order(seen)).toEqual(['enter', 'leave', 'enter', 'leave']);
  });
});

describe('a store', () => {
  const WORK = 'samples/tracefs/6.1-work-running.txt';

  test('written by two at once is that of one of them, whole', async () => {
    const place = mkdtempSync(join(folder, 'two-'));
    const db = join(place, 'shared.db');
    const rules = (...args: string[]) =>
      JSON.parse(modlife(['analyze', '--json', ...args]).stdout).findings.map(
        ({ rule }: { readonly rule: string }) => rule,
      );
    const either = [rules(LEAK), rules(WORK)];
    for (let round = 0; round < 2; round++) {
      const writers = [LEAK, WORK, LEAK, WORK].map((capture) =>
        spawn(process.execPath, [PROGRAM, 'analyze', '--db', db, capture], { stdio: 'ignore' }),
      );
      const ends = await Promise.all(writers.map((writer) => once(writer, 'exit')));
      expect(ends.map(([status]) => status)).toEqual([1, 1, 1, 1]);
      expect(readdirSync(place)).toEqual(['shared.db']);
      expect(either).toContainEqual(rules(db));
    }
  });

  test('that is damaged is named in one line', async () => {
    const db = join(folder, 'damaged.db');
    modlife(['analyze', '--db', db, LEAK]);
    const whole = readFileSync(db);
    let told = 0;
    for (let page = 1; page < whole.length / 8192; page++) {
      writeFileSync(db, Buffer.from(whole).fill(0xa5, page * 8192, (page + 1) * 8192));
      const { stderr, status } = await runCli(['analyze', db]);
      // A page that nobody asks for harms nobody.
      if (status === 1 && stderr === '') continue;
      expect(stderr).toMatch(/^modlife: .+\n$/);
      expect(stderr).toContain(`${db} is damaged: `);
      expect(status).toBe(2);
      told++;
    }
    expect(told).toBeGreaterThan(3);
  });

  test('for a folder that may not be written to is refused in one line, and the one there can be read', (context) => {
    const place = mkdtempSync(join(folder, 'locked-'));
    const db = join(place, 'old.db');
    modlife(['analyze', '--db', db, LEAK]);
    chmodSync(folder, 0o755);
    chmodSync(place, 0o555);
    // Root may write anywhere.
    const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const as = (...args: string[]) =>
      spawnSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8', ...nobody });
    if (as('--version').status !== 0) context.skip('the program lies where only its owner may read');
    for (const [to, args] of [
      [db, ['analyze', '--db', db, LEAK]],
      [join(place, 'new.db'), ['analyze', '--db', join(place, 'new.db'), LEAK]],
      [join(place, 'new.html'), ['report', '-o', join(place, 'new.html'), LEAK]],
    ] as const) {
      const { stderr, stdout, status } = as(...args);
      expect(stderr).toMatch(/^modlife: cannot write .+\n$/);
      expect(stderr).toContain(to);
      expect(stdout).toBe('');
      expect(status).toBe(2);
    }
    expect(readdirSync(place)).toEqual(['old.db']);
    expect(as('analyze', db)).toMatchObject({ status: 1, stderr: '' });
    chmodSync(place, 0o755);
  });
});

describe('where nothing more can be written', () => {
  const inBlocks = (blocks: number, ...args: string[]) =>
    spawnSync('sh', ['-c', `ulimit -f ${blocks}; exec "$@"`, 'sh', process.execPath, PROGRAM, ...args], {
      encoding: 'utf8',
    });

  test.each([
    ['a store', ['analyze', '--db', 'full.db', 'samples/tracefs/6.1-work-running.txt']],
    ['a report', ['report', '-o', 'full.html', 'samples/tracefs/6.1-work-running.txt']],
  ])('%s is given up in one line, and nothing is left', (_, args) => {
    const target = join(folder, args[2]!);
    const { stderr, status } = inBlocks(16, args[0]!, args[1]!, target, args[3]!);
    expect(stderr).toMatch(/^modlife: cannot write .+\n$/);
    expect(stderr).toContain(target);
    expect(status).toBe(2);
    expect(readdirSync(folder).filter((name) => name.startsWith(args[2]!))).toEqual([]);
  });

  test('stdout is spoken of, and the status is not that of findings', () => {
    const { stderr, status } = spawnSync(
      'sh',
      ['-c', 'exec "$@" > /dev/full', 'sh', process.execPath, PROGRAM, 'analyze', LEAK],
      { encoding: 'utf8' },
    );
    expect(stderr).toMatch(/^modlife: cannot write to stdout: ENOSPC.*\n$/);
    expect(status).toBe(2);
  });
});
