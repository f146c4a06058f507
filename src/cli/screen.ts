/** A terminal taken over for a while: drawn a few times a second, read for keys, and given back as it was. */
import { openSync, writeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import type { TailView } from '../model/tail-view.ts';
import { drawTail, shownModules } from '../report/tail-screen.ts';
import { type Io, styleOf } from './io.ts';
import { choose, FIRST_CHOICE, type Key, keysOf } from './keys.ts';
import type { Outlet } from './outlet.ts';

export interface Screen {
  /** Gives the terminal back. */
  close(): void;
}

interface ScreenOptions {
  readonly io: Io;
  readonly outlet: Outlet;
  /** Stdin is read for the capture, so keys come from the terminal itself. */
  readonly stdinTaken: boolean;
  view(selected: string | undefined): TailView;
  quit(): void;
}

const FRAME_MS = 100;
/** The alternate screen, no cursor, and no wrapping of what turns out wider than it counts. */
const CLEAR = '\u001b[2J';
const ENTER = `\u001b[?1049h\u001b[?25l\u001b[?7l${CLEAR}`;
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l';

export function openScreen({ io, outlet, stdinTaken, view, quit }: ScreenOptions): Screen {
  const { stdout } = io;
  const { color } = styleOf(io);
  const size = () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 });
  let choice = FIRST_CHOICE;
  let shown = view(undefined);
  let last: readonly string[] = [];
  let open = true;

  function draw(): void {
    // A slow terminal is shown fewer pictures.
    if (outlet.pending > 0) return;
    if (!choice.paused) shown = view(choice.holders ? choice.selected : undefined);
    const lines = drawTail(shown, choice, size(), color);
    const changed = lines.flatMap((line, row) =>
      line === last[row] ? [] : [`\u001b[${row + 1}H\u001b[K${line}`],
    );
    last = lines;
    if (changed.length > 0) outlet.write(changed.join(''));
  }

  function redraw(): void {
    last = [];
    outlet.write(CLEAR);
    draw();
  }

  function press(key: Key): void {
    if (key.type === 'suspend') {
      // In raw mode the terminal does not do it: our whole group is to stop, as whoever feeds us, or sudo.
      process.kill(0, 'SIGTSTP');
      return;
    }
    const names = shownModules(shown, choice).map(({ module }) => module);
    const next = choose(choice, key, names);
    if (next === 'quit') {
      quit();
      return;
    }
    const asksAnew = next.holders && (next.selected !== choice.selected || !choice.holders);
    choice = next;
    // Paused, the picture stands still, but whose references are shown may change.
    if (choice.paused && asksAnew) shown = { ...shown, holders: view(choice.selected).holders };
    draw();
  }

  const keyboard = openKeyboard(stdinTaken);
  const read = (bytes: Buffer) => {
    for (const key of keysOf(bytes.toString('utf8'))) if (open) press(key);
  };
  keyboard?.setRawMode(true);
  keyboard?.on('data', read);
  // The terminal may be gone when we are told to end.
  keyboard?.on('error', () => {});
  process.stdout.on('resize', redraw);
  const timer = setInterval(draw, FRAME_MS);

  /** The shell has its terminal back, and we stop until it says to go on; where there is no shell, we do not. */
  function suspend(): void {
    giveBack();
    process.off('SIGTSTP', suspend);
    process.kill(process.pid, 'SIGTSTP');
    process.on('SIGTSTP', suspend);
    resume();
  }

  function resume(): void {
    keyboard?.setRawMode(true);
    outlet.write(ENTER);
    redraw();
  }

  function giveBack(): void {
    try {
      keyboard?.setRawMode(false);
      if (stdout.fd !== undefined) writeSync(stdout.fd, LEAVE);
    } catch {
      // No terminal is left to give back.
    }
  }

  function close(): void {
    if (!open) return;
    open = false;
    clearInterval(timer);
    process.stdout.off('resize', redraw);
    process.off('SIGTSTP', suspend);
    process.off('SIGCONT', resume);
    process.off('exit', close);
    process.off('uncaughtExceptionMonitor', close);
    giveBack();
    keyboard?.destroy();
  }
  process.on('SIGTSTP', suspend);
  process.on('SIGCONT', resume);
  process.on('exit', close);
  process.on('uncaughtExceptionMonitor', close);
  outlet.write(ENTER);
  return { close };
}

function openKeyboard(stdinTaken: boolean): ReadStream | undefined {
  if (!stdinTaken) return process.stdin.isTTY ? process.stdin : undefined;
  try {
    return new ReadStream(openSync('/dev/tty', 'r'));
  } catch {
    // Without a controlling terminal there are no keys, only signals.
    return undefined;
  }
}
