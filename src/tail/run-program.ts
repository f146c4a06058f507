/** A program of the user's for each finding, which it gets as JSON on stdin. Never through a shell. */
import { spawn } from 'node:child_process';
import type { Finding } from '../model/report.ts';

export interface Runner {
  run(finding: Finding): void;
  /** Resolves when all are through, or have been given up. */
  settled(): Promise<void>;
}

/** A flood of findings must not become a flood of processes. */
const AT_ONCE = 4;
const WAITING = 256;
/** At the end, so long for those still running. */
const PATIENCE_MS = 10_000;
/** Of what it says on stderr. */
const SAID = 4096;

/** @param tell what went wrong, which ends nothing */
export function createRunner(
  [program = '', ...args]: readonly string[],
  toJson: (finding: Finding) => string,
  tell: (trouble: string) => void,
): Runner {
  const waiting: Finding[] = [];
  const running = new Set<ReturnType<typeof spawn>>();
  let dropped = 0;
  let whenIdle: (() => void) | undefined;

  function next(): void {
    while (running.size < AT_ONCE && waiting.length > 0) start(waiting.shift()!);
    if (running.size === 0) whenIdle?.();
  }

  function start(finding: Finding): void {
    // Its stdout is not ours to mix with the findings.
    const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'pipe'] });
    running.add(child);
    let said = '';
    let failed: string | undefined;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < SAID) said += text.slice(0, SAID - said.length);
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      failed = error.code === 'ENOENT' ? 'no such program' : error.message;
    });
    // It need not read what it gets.
    child.stdin.on('error', () => {});
    child.stdin.end(toJson(finding));
    child.on('close', (status, signal) => {
      running.delete(child);
      const last = said.trimEnd().split('\n').at(-1) ?? '';
      if (status !== 0) {
        const how = failed ?? (signal === null ? `ended with ${status}` : `was killed by ${signal}`);
        tell(`--exec ${program}: ${how}${last === '' ? '' : `: ${last}`}`);
      }
      next();
    });
  }

  return {
    run(finding) {
      if (waiting.length < WAITING) waiting.push(finding);
      else if (dropped++ === 0) tell(`--exec ${program}: too slow, some findings are not given to it`);
      next();
    },
    async settled() {
      if (running.size > 0) {
        let timer: NodeJS.Timeout | undefined;
        await Promise.race([
          new Promise<void>((resolve) => {
            whenIdle = resolve;
          }),
          new Promise<void>((resolve) => {
            timer = setTimeout(resolve, PATIENCE_MS);
          }),
        ]);
        clearTimeout(timer);
      }
      for (const child of running) child.kill();
      if (dropped > 0) tell(`--exec ${program}: ${dropped} findings were not given to it`);
    },
  };
}
