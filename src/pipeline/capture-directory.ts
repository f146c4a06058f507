/** What `modlife capture` left: a folder that is read whole, through its manifest. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { formatOf } from '../model/backend.ts';
import type { Lost } from '../model/collector.ts';
import { UserError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import { MANIFEST_FILE } from '../model/schema-id.ts';
import { type Unpacked, unpackTar } from './tar.ts';

/** One file to be read as a capture. */
export interface Member {
  /** As people know it. */
  readonly path: string;
  /** Where it lies, if that is somewhere else. */
  readonly file?: string;
  readonly format: string | undefined;
  /** What is known of it beforehand. */
  readonly known?: Known;
}

export interface Known {
  /** The capture directory. */
  readonly folder: string;
  readonly kernel: string;
  readonly cpus: number;
  readonly losses: readonly Lost[];
}

export interface Inputs {
  readonly members: readonly Member[];
  /** What was unpacked for them goes. */
  close(): void;
}

/** A capture directory's files in place of it, packed with tar or not; all else as it is.
 *  @throws UserError for a damaged tar or manifest */
export async function openInputs(paths: readonly string[], format: string | undefined): Promise<Inputs> {
  const unpacked: Unpacked[] = [];
  const close = () => {
    for (const { remove } of unpacked) remove();
  };
  try {
    const members: Member[] = [];
    for (const path of paths) {
      const tar = format === undefined ? await unpackTar(path) : undefined;
      if (tar === undefined) {
        members.push(...(await membersOf(path, format)));
        continue;
      }
      unpacked.push(tar);
      for (const { path: file, known, ...member } of await membersOf(tar.folder, format)) {
        members.push({
          ...member,
          path: join(path, basename(file)),
          file,
          ...(known === undefined ? {} : { known: { ...known, folder: path } }),
        });
      }
    }
    return { members, close };
  } catch (error) {
    close();
    throw error;
  }
}

async function membersOf(path: string, format: string | undefined): Promise<Member[]> {
  if (path === '-' || !isFolder(path)) return [{ path, format }];
  const manifest = await readManifest(path);
  // Elsewhere it is told what to do with a folder.
  if (manifest === undefined) return [{ path, format }];
  const { release, cpus } = manifest.kernel;
  const known = { folder: path, kernel: release, cpus, losses: lossesOf(manifest) };
  if (manifest.backend === 'trace-cmd') expectTraceDat(path, manifest);
  const members: Member[] = manifest.streams.map((name, stream) => ({
    path: join(path, name),
    format: formatOf[manifest.backend],
    known: stream === 0 ? known : { ...known, losses: [] },
  }));
  for (const name of manifest.symbols) {
    members.push({ path: join(path, name), format: 'kallsyms', known: { ...known, losses: [] } });
  }
  if (manifest.kernelLog !== null) {
    const log = join(path, manifest.kernelLog);
    // Most runs leave nothing in it.
    if (statSync(log, { throwIfNoEntry: false })?.size)
      members.push({ path: log, format: 'kernel-log', known: { ...known, losses: [] } });
  }
  return members;
}

/** It is written when trace-cmd ends. @throws UserError when it was not */
function expectTraceDat(folder: string, { streams }: Manifest): void {
  const missing = streams.map((name) => join(folder, name)).find((path) => !existsSync(path));
  if (missing === undefined) return;
  throw new UserError(
    'noinput',
    `${missing}: trace-cmd was killed before it wrote it, or is still at it`,
    'trace-cmd restore makes one of the trace.dat.*.cpu* beside it, before the next boot',
  );
}

/** @returns undefined for a folder that is no capture */
export async function readManifest(folder: string): Promise<Manifest | undefined> {
  const path = join(folder, MANIFEST_FILE);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  const { manifestSchema } = await import('../model/manifest.ts');
  const parsed = manifestSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const { path: at = [], message = 'no JSON' } = parsed.error.issues[0] ?? {};
  throw new UserError(
    'unrecognised',
    `${path}: ${at.join('.')}: ${message}`,
    'the files beside it can still be read one by one',
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** What the kernel counted and the stream does not tell: the rest was lost somewhere. */
function lossesOf({ lost, missed }: Manifest): Lost[] {
  const untaken = missed.reduce((sum, { times }) => sum + times, 0);
  return [
    ...lost
      .filter((own) => own.lost > own.told)
      .map((own) => ({ count: own.lost - own.told, cpu: own.cpu, where: 'anywhere' as const, line: 1 })),
    ...(untaken === 0 ? [] : [{ count: untaken, where: 'anywhere' as const, line: 1 }]),
  ];
}
