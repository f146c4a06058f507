/** What is published: what the program needs and nothing else, and with whose licences. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rules } from '../passes/rules.ts';

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

const readJson = <T>(path: string) => JSON.parse(readFileSync(path, 'utf8')) as T;
const own = readJson<Manifest>('package.json');

/** As the lock file has it: what `npm install --omit=dev` puts there, where Node is new enough for all of it. */
const { packages } = readJson<{
  readonly packages: Readonly<
    Record<string, { readonly dev?: boolean; readonly devOptional?: boolean; readonly license?: string }>
  >;
}>('package-lock.json');
const production = Object.entries(packages)
  .filter(([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true)
  .map(([path]) => path);

describe('the package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
  const root = join(folder, 'node_modules', 'modlife');
  afterAll(() => rmSync(folder, { recursive: true }));

  let files: readonly string[];
  /** As npm would install it, with the dependencies that it names and no others. */
  beforeAll(() => {
    const npm = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
    const packed = JSON.parse(
      execFileSync('npm', npm, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    );
    const [{ filename, files: listed }] = packed as [
      { readonly filename: string; readonly files: readonly { readonly path: string }[] },
    ];
    files = listed.map(({ path }) => path);
    mkdirSync(root, { recursive: true });
    execFileSync('tar', ['xf', join(folder, filename), '-C', root, '--strip-components=1']);
    for (const path of production) {
      mkdirSync(join(folder, dirname(path)), { recursive: true });
      symlinkSync(join(process.cwd(), path), join(folder, path));
    }
  });

  function installed(...args: readonly string[]) {
    return spawnSync(process.execPath, ['--preserve-symlinks', join(root, 'bin/modlife.js'), ...args], {
      cwd: root,
      encoding: 'utf8',
    });
  }

  test('holds the PROGRAM, its documents, and the samples that explain shows', () => {
    const needed = [
      /^(?:package\.json|README\.md|LICENSE|bin\/modlife\.(?:js|1))$/,
      /^dist\/(?:src|collectors)\/[\w/.-]+\.js$/,
      /^collectors\/bpftrace\/[\w.-]+\.(?:bt|sh)$/,
      /^queries\/\w+\.sql$/,
      /^src\/report\/html\/(?:client\.js|report\.css)$/,
      /^samples\//,
    ];
    expect(files.filter((name) => !needed.some((pattern) => pattern.test(name)))).toEqual([]);
    expect(files.filter((name) => /\.test\.|\/testing\/|\/bench\/|\.ts$/.test(name))).toEqual([]);
    const shown = Object.values(rules).flatMap(({ excerpt }) =>
      excerpt === undefined ? [] : [`samples/${excerpt.sample}`],
    );
    expect(files.filter((name) => name.startsWith('samples/')).sort()).toEqual([...new Set(shown)].sort());
  });

  test('works where nothing else is', () => {
    const sample = 'samples/tracefs/6.1-release-after-exit.txt';
    expect(installed('--version')).toMatchObject({ stdout: `${own.version}\n`, stderr: '', status: 0 });
    const analyzed = installed('analyze', sample);
    expect(analyzed).toMatchObject({ stderr: '', status: 1 });
    // What README shows first.
    expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain(analyzed.stdout.split('\n')[5]!);
    expect(installed('explain', 'ref-leak')).toMatchObject({ stderr: '', status: 0 });
    expect(installed('query', 'findings', sample)).toMatchObject({ stderr: '', status: 0 });
    expect(installed('report', '-o', join(folder, 'report.html'), sample).status).toBe(0);
    expect(installed('export', '--to', 'parquet', '-o', join(folder, 'events.parquet'), sample).status).toBe(
      0,
    );
    expect(installed('man')).toMatchObject({ stderr: '', status: 0 });
  });
});

describe('the packages it needs', () => {
  /** As SPDX names them: none asks more than that its text stays with the code. */
  const PERMISSIVE = new Set(['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause']);

  test('are pinned, with where they come from and what they hold', () => {
    for (const name of Object.keys(own.dependencies)) expect(production).toContain(`node_modules/${name}`);
    const unpinned = Object.entries(packages).filter(
      ([path, entry]) => path !== '' && !/"integrity":"sha512-/.test(JSON.stringify(entry)),
    );
    expect(unpinned.map(([path]) => path)).toEqual([]);
  });

  test('are permissive, and SECURITY.md counts them', () => {
    const counts = new Map<string, number>();
    for (const path of production) {
      const { license = 'none' } = packages[path]!;
      // Of several to choose from, one that is permissive is enough.
      const chosen = license
        .replace(/[()]/g, '')
        .split(' OR ')
        .find((one) => PERMISSIVE.has(one));
      expect(chosen, `${path}: ${license}`).toBeDefined();
      counts.set(chosen!, (counts.get(chosen!) ?? 0) + 1);
    }
    const told = [...counts]
      .sort(([a, x], [b, y]) => y - x || a.localeCompare(b))
      .map(([license, count]) => `${count} ${license}`)
      .join(', ');
    expect(readFileSync('SECURITY.md', 'utf8').replace(/\s+/g, ' ')).toContain(
      `${production.length} packages: ${told}`,
    );
  });
});
