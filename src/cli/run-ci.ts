/** A command under watch: record, analyze, a verdict. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '../model/backend.ts';
import type { Severity } from '../model/report.ts';
import { statusOf } from './exit.ts';
import type { Io } from './io.ts';
import { print } from './print.ts';
import { read } from './read.ts';
import { recordHere } from './run-capture.ts';

interface Options {
  readonly module?: readonly string[];
  readonly output?: string;
  readonly backend: Backend;
  readonly bufferSize?: number;
  readonly failOn: Severity;
  readonly allowGaps?: boolean;
  readonly json?: boolean;
}

/** @returns the exit status */
export async function ci(command: readonly string[], options: Options, io: Io): Promise<number> {
  const directory = options.output ?? mkdtempSync(join(tmpdir(), 'modlife-ci-'));
  let keep = options.output !== undefined;
  try {
    const { manifest } = await recordHere(directory, command, options);
    const { report } = await read([directory], {}, io);
    keep ||= report.summary.error + report.summary.warning > 0;
    await print(
      {
        type: 'ci',
        command,
        status: manifest.command?.status ?? null,
        signal: manifest.command?.signal ?? null,
        elapsed: (manifest.end ?? manifest.begin) - manifest.begin,
        ...(keep ? { directory } : {}),
        report,
      },
      options,
      io,
    );
    return statusOf(report, { failOn: options.failOn, allowGaps: options.allowGaps === true });
  } finally {
    if (!keep) rmSync(directory, { recursive: true, force: true });
  }
}
