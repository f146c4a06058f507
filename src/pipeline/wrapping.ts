/**
 * What people put around a trace before they send it: a mail's quoting, Markdown fences, the time a CI system writes
 * before each line. Recognised from the head of a capture; taken off line by line.
 */

/** Takes off one layer, line by line, in order. */
export interface Stripper {
  /** The line without this layer; undefined for a line that is nothing else. */
  strip(line: string): string | undefined;
  /** Excerpts that have begun so far: between two of them something may be missing. */
  readonly excerpts?: number;
  /** Changes of who is quoted so far: what comes now may have been told before. */
  readonly voices?: number;
}

export interface Wrapping {
  /** For people, outermost layer first: `a CI log, a Markdown fence`. */
  readonly what: string;
  /** Somebody's mailer or browser had it: lines may have been broken. */
  readonly pasted: boolean;
  /** A fresh stripper of all layers per capture. */
  create(): Stripper;
}

interface Layer {
  readonly what: string;
  readonly pasted?: boolean;
  create(): Stripper;
}

/** Looks at lines of the head without their ends, those that resemble records among them. */
type Recogniser = (lines: readonly string[], resembling: readonly string[]) => Layer | undefined;

/** Headers of a mail whose text is quoted are no second mail. */
const MAILS = ['a quoted mail', 'a mail'];

/** Layers are seldom put on each other: a CI log, quoted, in a fence. */
const DEEPEST = 4;

const RECORDS = [
  // tracefs, trace-cmd, perf
  /\[\d{3,}\].* \d+(?:\.\d{6,9})?:(?: |$)/,
  // latency-format
  /-\d+ +\d+[.dDbX][.\w]{3,4} +\d+us/,
  /modlife1 \d/,
  // babeltrace2
  /: \{ cpu_id = \d+ \}/,
  /^\[ *\d+\.\d{6}\](?:\[ *[TC]\d+\])? /,
  /\bmodule_(?:load|free|get|put|request): /,
];

/** Where tracefs and trace-cmd have the dash before the pid. */
const DASH = 16;
const PLACED = /-\d+ +(?:\([ \d-]+\) )?\[\d{3,}\]/;

/** Does something in this line look like a record of any text format? If not, it is what somebody wrote around. */
export function resemblesRecord(line: string): boolean {
  return RECORDS.some((record) => record.test(line));
}

/** @param head the first bytes, as latin1 */
export function recogniseWrapping(head: string): Wrapping | undefined {
  let lines = head.split('\n');
  // The last one is cut off.
  if (lines.length > 1) lines.pop();
  const layers: Layer[] = [];
  while (layers.length < DEEPEST) {
    const layer = nextLayer(lines, layers);
    if (layer === undefined) break;
    layers.push(layer);
    const stripper = layer.create();
    lines = lines.flatMap((line) => stripper.strip(line) ?? []);
  }
  if (layers.length === 0) return undefined;
  return {
    what: layers.map(({ what }) => what).join(', '),
    pasted: layers.some(({ pasted }) => pasted === true),
    create: () => stack(layers.map((layer) => layer.create())),
  };
}

/** The head as a collector should see it. */
export function unwrapHead(wrapping: Wrapping, head: string): string {
  const stripper = wrapping.create();
  return head
    .split('\n')
    .flatMap((line) => stripper.strip(line) ?? [])
    .join('\n');
}

function nextLayer(lines: readonly string[], known: readonly Layer[]): Layer | undefined {
  const resembling = lines.filter(resemblesRecord);
  if (resembling.length === 0) return undefined;
  for (const recognise of recognisers) {
    const layer = recognise(lines, resembling);
    if (layer === undefined) continue;
    const alike = MAILS.includes(layer.what) ? MAILS : [layer.what];
    if (!known.some(({ what }) => alike.includes(what))) return layer;
  }
  return undefined;
}

function stack(strippers: readonly Stripper[]): Stripper {
  return {
    strip(line) {
      let text: string | undefined = line;
      for (const stripper of strippers) {
        text = stripper.strip(text);
        if (text === undefined) return undefined;
      }
      return text;
    },
    get excerpts() {
      return strippers.reduce((sum, { excerpts = 0 }) => sum + excerpts, 0);
    },
    get voices() {
      return strippers.reduce((sum, { voices = 0 }) => sum + voices, 0);
    },
  };
}

/** A comm may hold a newline and so begin a line with anything: a few lines prove nothing. */
function most(lines: readonly string[], test: (line: string) => boolean): boolean {
  return lines.filter(test).length * 2 > lines.length;
}

const ISO = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`;
const SYSLOG = String.raw`[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?`;
const TAG = String.raw`\S+ [^\s:[\]]+(?:\[\d+\])?: ?`;

/** What stands before each line of a log. A byte order mark may come before the first. */
const PREFIXES: readonly { readonly what: string; readonly pattern: RegExp }[] = [
  // GitHub and Azure: the job's and the step's name only where `gh run view --log` put them. GitLab: the number and
  // kind of a stream. Kubernetes: the stream and whether the line is whole. `docker logs -t`: nothing more.
  {
    what: 'a CI or container log',
    pattern: new RegExp(
      String.raw`^(?:[^\t]*\t[^\t]*\t)?(?:\xef\xbb\xbf)?${ISO}\.\d{1,9}Z (?:[0-9a-f]{2}[OE][ +]|std(?:out|err) [FP] )?`,
    ),
  },
  // Jenkins' timestamper.
  { what: 'a Jenkins log', pattern: new RegExp(String.raw`^\[${ISO}(?:\.\d+)?Z?\] ?`) },
  { what: 'a Jenkins log', pattern: /^\d\d:\d\d:\d\d(?:\.\d+)? / },
  {
    what: 'a journal',
    pattern: new RegExp(String.raw`^(?:${SYSLOG}|${ISO}(?:[.,]\d+)?[+-]\d\d:?\d\d) ${TAG}`),
  },
  // ts(1) of moreutils, whose date looks like syslog's.
  { what: 'a log with a time in each line', pattern: new RegExp(`^${SYSLOG} `) },
  { what: 'a docker compose log', pattern: /^[\w.-]+ +\| / },
];

const prefixes: Recogniser = (_lines, resembling) => {
  const prefix = PREFIXES.find(({ pattern }) => most(resembling, (line) => pattern.test(line)));
  if (prefix === undefined) return undefined;
  return { what: prefix.what, create: () => ({ strip: (line) => line.replace(prefix.pattern, '') }) };
};

/** CSI, OSC and the short ones (ECMA-48). */
const ESCAPE = /\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])/g;
const GITLAB_SECTION = /^section_(?:start|end):\d+:[^\r]*\r/;

const escapes: Recogniser = (_lines, resembling) => {
  if (!most(resembling, (line) => /\x1b|^\r|\r\r$/.test(line))) return undefined;
  return {
    what: 'a console capture',
    create: () => ({
      strip: (line) =>
        line
          .replace(ESCAPE, '')
          .replace(GITLAB_SECTION, '')
          .replace(/^\r+|\r+$/g, ''),
    }),
  };
};

/** `> > ` and `>>`, however deep. */
const QUOTE = /^(?: ?>)+ ?/;
/** The same from a mailer that puts no blank after it. */
const TIGHT_QUOTE = /^(?: ?>)+/;
const MAIL_HEADER = /^(From|To|Cc|Subject|Date|Message-ID|List-ID): /i;

const quotes: Recogniser = (lines, resembling) => {
  if (most(resembling, (line) => QUOTE.test(line))) {
    const isTight = (line: string) => line.replace(TIGHT_QUOTE, '').search(PLACED) === DASH;
    const quote = most(resembling, isTight) ? TIGHT_QUOTE : QUOTE;
    return { what: 'a quoted mail', pasted: true, create: () => quoteStripper(quote) };
  }
  const first = lines.findIndex(resemblesRecord);
  const headers = lines.slice(0, first).flatMap((line) => MAIL_HEADER.exec(line)?.[1]?.toLowerCase() ?? []);
  return new Set(headers).size < 3
    ? undefined
    : { what: 'a mail', pasted: true, create: () => quoteStripper(QUOTE) };
};

function quoteStripper(pattern: RegExp): Stripper {
  let voices = 0;
  let depth = 0;
  return {
    get voices() {
      return voices;
    },
    strip(line) {
      const [quote] = pattern.exec(line) ?? [''];
      const now = quote.split('>').length;
      if (now !== depth && line.trim() !== '') {
        depth = now;
        voices++;
      }
      return line.slice(quote.length);
    },
  };
}

const FENCE = /^ {0,3}(`{3,}|~{3,})([^`]*)$/;
const PRE = /<pre\b[^>]*>/i;
const PRE_END = /<\/pre\s*>/i;
/** What highlighters put into `<pre>`; `<idle>` and `<stack trace>` are not among it. */
const TAG_IN_PRE = /<\/?(?:a|b|br|code|div|em|font|i|mark|p|pre|span|strong|table|t[dhr]|tbody)\b[^>]*>/gi;

const fences: Recogniser = (lines) => {
  const stripper = fenceStripper();
  const inside = lines.filter((line) => {
    const text = stripper.strip(line);
    return text !== undefined && stripper.open && resemblesRecord(text);
  });
  const all = lines.filter(resemblesRecord).length;
  if (inside.length * 2 <= all) return undefined;
  const what = lines.some((line) => PRE.test(line)) ? 'HTML' : 'a Markdown fence';
  return { what, pasted: true, create: fenceStripper };
};

function fenceStripper(): Stripper & { readonly open: boolean } {
  let fence: string | undefined;
  let excerpts = 0;
  return {
    get excerpts() {
      return excerpts;
    },
    get open() {
      return fence !== undefined;
    },
    strip(line) {
      const text = line.endsWith('\r') ? line.slice(0, -1) : line;
      if (fence === 'pre') {
        const end = PRE_END.exec(text);
        if (end !== null) fence = undefined;
        const last = end === null ? text : text.slice(0, end.index);
        return end !== null && last === '' ? undefined : plainText(last);
      }
      const marker = FENCE.exec(text);
      if (fence !== undefined) {
        if (marker === null || marker[2]!.trim() !== '' || !marker[1]!.startsWith(fence)) return text;
        fence = undefined;
        return undefined;
      }
      if (marker !== null) {
        fence = marker[1]!;
        excerpts++;
        return undefined;
      }
      const pre = PRE.exec(text);
      if (pre === null) return text;
      fence = 'pre';
      excerpts++;
      const rest = text.slice(pre.index + pre[0].length);
      return rest === '' ? undefined : this.strip(rest);
    },
  };
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  apos: "'",
  nbsp: ' ',
};

function plainText(html: string): string {
  return html
    .replace(TAG_IN_PRE, '')
    .replace(/&(?:#(\d{1,3})|#x([0-9a-f]{1,2})|(\w+));/gi, (whole, decimal, hex, name) => {
      if (name !== undefined) return ENTITIES[name] ?? whole;
      const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
      return code < 0x20 || code > 0xff ? whole : String.fromCharCode(code);
    });
}

const indents: Recogniser = (_lines, resembling) => {
  const [tabs] = /^\t*/.exec(resembling[0]!)!;
  const margin = tabs === '' ? ' '.repeat(Math.max(0, resembling[0]!.search(PLACED) - DASH)) : tabs;
  if (margin === '' || !most(resembling, (line) => line.startsWith(margin))) return undefined;
  if (tabs === '' && !most(resembling, (line) => line.search(PLACED) === DASH + margin.length))
    return undefined;
  return {
    what: 'indented text',
    pasted: true,
    create: () => ({ strip: (line) => (line.startsWith(margin) ? line.slice(margin.length) : line) }),
  };
};

/** The outermost first. */
const recognisers: readonly Recogniser[] = [prefixes, escapes, quotes, fences, indents];
