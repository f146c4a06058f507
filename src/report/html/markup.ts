/** HTML in which a value can only ever be text: what a trace says is never markup. */
import { createHash } from 'node:crypto';
import { printable } from '../printable.ts';

/** Data read from a trace cannot have this key, so it cannot pass for markup. */
const markup = Symbol('markup');

export interface Html {
  readonly [markup]: string;
}

type Value = string | number | undefined | Html | readonly Html[];

/** Interpolated text is escaped; pieces of HTML are put in as they are; nothing stands for undefined. */
export function html(literals: TemplateStringsArray, ...values: readonly Value[]): Html {
  let text = literals[0]!;
  for (const [index, value] of values.entries()) text += render(value) + literals[index + 1]!;
  return { [markup]: text };
}

function render(value: Value): string {
  if (value === undefined) return '';
  if (typeof value === 'string' || typeof value === 'number') return escapeText(String(value));
  if (Array.isArray(value)) return value.map((item: Html) => item[markup]).join('');
  return (value as Html)[markup];
}

/** For text and for attributes in quotes. What would act in a terminal or turn the line around becomes visible. */
function escapeText(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** What the page itself brings along: our own script and style, which must not end their element. */
export function verbatim(text: string): Html {
  if (/<\/(script|style)|<!--/i.test(text)) throw new Error('a script or style that would end its element');
  return { [markup]: text };
}

/** Data for `<script type="application/json">`: no `<`, so nothing in it can end the element. */
export function inertJson(value: object): Html {
  return { [markup]: JSON.stringify(value).replaceAll('<', '\\u003c') };
}

export function toText(page: Html): string {
  return page[markup];
}

/** How a Content-Security-Policy names one script or style. */
export function sourceHash(source: Html): string {
  return `'sha256-${createHash('sha256').update(source[markup], 'utf8').digest('base64')}'`;
}

//                    +- call        +- symbol or module    +- command or option
const CODE =
  /([A-Za-z_][\w.]*\(\)|\b(?:__\w+|[A-Za-z]\w*_\w+(?:\.\w+)*)(?: \[\w+\])?|\.owner\b|\bmod(?:probe|life) [a-z-]+|\brmmod\b(?!\/))/;

/** A sentence in which the names of functions and modules are set as code. */
export function sentence(text: string): Html {
  return html`${text.split(CODE).map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : html`${part}`))}`;
}
