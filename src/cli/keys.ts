/** What keys do to what the screen of `tail` shows. */
import type { TailChoice } from '../model/tail-view.ts';

export type Key =
  | { readonly type: 'up' | 'down' | 'enter' | 'escape' | 'erase' | 'interrupt' | 'suspend' }
  | { readonly type: 'text'; readonly text: string };

//                         +- cursor keys, in both modes         +- anything else a terminal may send
const SEQUENCE = /\u001b[[O]([AB])|\u001b[[O][0-9;]*[ -~]|[\s\S]/gu;

/** What came from a terminal in raw mode, perhaps several keys at once. */
export function keysOf(bytes: string): Key[] {
  return [...bytes.matchAll(SEQUENCE)].flatMap(([text, arrow]): Key[] => {
    if (arrow !== undefined) return [{ type: arrow === 'A' ? 'up' : 'down' }];
    switch (text) {
      case '\r':
      case '\n':
        return [{ type: 'enter' }];
      case '\u001b':
        return [{ type: 'escape' }];
      case '\u007f':
      case '\b':
        return [{ type: 'erase' }];
      case '\u0003':
      case '\u0004':
        return [{ type: 'interrupt' }];
      case '\u001a':
        return [{ type: 'suspend' }];
      default:
        return text >= ' ' && !text.startsWith('\u001b') ? [{ type: 'text', text }] : [];
    }
  });
}

export const FIRST_CHOICE: TailChoice = {
  paused: false,
  selected: undefined,
  holders: false,
  filter: '',
  typing: false,
};

/** @param names of the modules that are shown, from the top */
export function choose(choice: TailChoice, key: Key, names: readonly string[]): TailChoice | 'quit' {
  if (key.type === 'interrupt') return 'quit';
  return choice.typing ? type(choice, key) : command(choice, key, names);
}

function type(choice: TailChoice, key: Key): TailChoice {
  switch (key.type) {
    case 'text':
      return { ...choice, filter: choice.filter + key.text };
    case 'erase':
      return { ...choice, filter: choice.filter.slice(0, -1) };
    case 'enter':
      return { ...choice, typing: false };
    case 'escape':
      return { ...choice, typing: false, filter: '' };
    default:
      return choice;
  }
}

function command(choice: TailChoice, key: Key, names: readonly string[]): TailChoice | 'quit' {
  switch (key.type) {
    case 'up':
      return { ...choice, selected: beside(choice.selected, -1, names) };
    case 'down':
      return { ...choice, selected: beside(choice.selected, 1, names) };
    case 'enter':
      return { ...choice, holders: !choice.holders, selected: choice.selected ?? names[0] };
    case 'escape':
      return { ...choice, holders: false };
    case 'text':
      break;
    default:
      return choice;
  }
  switch (key.text) {
    case 'q':
      return 'quit';
    case 'p':
      return { ...choice, paused: !choice.paused };
    case '/':
      return { ...choice, typing: true };
    case 'k':
      return command(choice, { type: 'up' }, names);
    case 'j':
      return command(choice, { type: 'down' }, names);
    default:
      return choice;
  }
}

function beside(selected: string | undefined, step: 1 | -1, names: readonly string[]): string | undefined {
  const at = selected === undefined ? -1 : names.indexOf(selected);
  if (at < 0) return names[step === 1 ? 0 : names.length - 1];
  return names[Math.max(0, Math.min(names.length - 1, at + step))];
}
