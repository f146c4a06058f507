/** Completion scripts, made from the program itself so that they cannot lag behind it. */
import type { Command, Option } from 'commander';
import { UserError } from '../model/errors.ts';
import { ruleNames } from '../questions/explain.ts';
import { shellQuoted } from '../report/shell-word.ts';
import { listQueries } from '../store/list-queries.ts';

interface Word {
  readonly text: string;
  readonly help: string;
}

interface Verb extends Word {
  readonly options: readonly (Word & {
    readonly short?: string | undefined;
    readonly value: 'none' | 'any' | 'file' | readonly string[];
  })[];
  /** What its first argument can be; files when empty. */
  readonly first: readonly Word[];
  /** Whether files come after that. */
  readonly files: boolean;
}

/** @throws UserError for a shell we know not */
export function completionScript(program: Command, shell: string): string {
  const verbs = program.commands.map(verbOf);
  switch (shell) {
    case 'bash':
      return bash(verbs);
    case 'zsh':
      return zsh(verbs);
    case 'fish':
      return fish(verbs);
    default:
      throw new UserError('usage', `no completion for ${JSON.stringify(shell)}`, 'bash, zsh or fish');
  }
}

function verbOf(command: Command): Verb {
  const text = command.name();
  return {
    text,
    help: command.description(),
    options: command.options.map((option) => ({
      text: option.long!,
      short: option.short,
      help: option.description,
      value: takes(option),
    })),
    first: firstOf(text),
    files: command.registeredArguments.some(({ variadic }) => variadic) || text === 'diff',
  };
}

function takes(option: Option): Verb['options'][number]['value'] {
  if (!option.required) return 'none';
  return option.argChoices ?? (option.flags.includes('<file>') ? 'file' : 'any');
}

function firstOf(command: string): Word[] {
  switch (command) {
    case 'explain':
      return ruleNames().map((text) => ({ text, help: '' }));
    case 'query':
      return listQueries().map(({ name, summary }) => ({ text: name, help: summary }));
    case 'schema':
      return ['findings', 'tail', 'diff', 'suppressions'].map((text) => ({ text, help: '' }));
    case 'completion':
      return ['bash', 'zsh', 'fish'].map((text) => ({ text, help: '' }));
    default:
      return [];
  }
}

function names({ options }: Verb): string[] {
  return options.flatMap(({ text, short }) => (short === undefined ? [text] : [text, short]));
}

function bash(verbs: readonly Verb[]): string {
  const cases = verbs.map((verb) => {
    const values = verb.options.flatMap(({ text, short, value }) => {
      if (value === 'none') return [];
      const reply =
        value === 'file'
          ? 'compopt -o default; return'
          : value === 'any'
            ? 'return'
            : `COMPREPLY=($(compgen -W ${shellQuoted(value.join(' '))} -- "$cur")); return`;
      return [`        ${[text, ...(short === undefined ? [] : [short])].join('|')}) ${reply} ;;`];
    });
    const words = [...names(verb), '--help'].join(' ');
    const first = verb.first.map(({ text }) => text).join(' ');
    return [
      `    ${verb.text})`,
      ...(values.length === 0 ? [] : ['      case "$prev" in', ...values, '      esac']),
      `      if [[ $cur == -?* ]]; then COMPREPLY=($(compgen -W ${shellQuoted(words)} -- "$cur")); return; fi`,
      ...(first === ''
        ? []
        : [
            `      if ((COMP_CWORD == 2)); then COMPREPLY=($(compgen -W ${shellQuoted(first)} -- "$cur")); return; fi`,
          ]),
      ...(verb.files ? ['      compopt -o default'] : []),
      '      ;;',
    ].join('\n');
  });
  return `# bash completion for modlife: source <(modlife completion bash)
_modlife() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W ${shellQuoted([...verbs.map(({ text }) => text), '--help', '--version'].join(' '))} -- "$cur"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
}
complete -F _modlife modlife
`;
}

function zsh(verbs: readonly Verb[]): string {
  // _arguments reads brackets and colons as its own syntax.
  const plain = (text: string) => text.replace(/[[\]:\\]/g, (character) => `\\${character}`);
  const described = ({ text, help }: Word) =>
    shellQuoted(help === '' ? text : `${plain(text)}:${plain(help)}`);
  const cases = verbs.map((verb) => {
    const options = verb.options.map(({ text, short, help, value }) => {
      const action =
        value === 'none'
          ? ''
          : value === 'file'
            ? ':file:_files'
            : value === 'any'
              ? ':value: '
              : `:value:(${value.join(' ')})`;
      const spec = shellQuoted(`[${plain(help)}]${action}`);
      return short === undefined ? shellQuoted(text) + spec : `{${short},${text}}${spec}`;
    });
    const first =
      verb.first.length === 0
        ? []
        : [shellQuoted(`1:name:(${verb.first.map(({ text }) => text).join(' ')})`)];
    const specs = [...options, ...first, ...(verb.files ? [shellQuoted('*:capture:_files')] : [])];
    return `    ${verb.text})\n      _arguments \\\n        ${specs.join(' \\\n        ')}\n      ;;`;
  });
  return `#compdef modlife
# zsh completion for modlife
_modlife() {
  local -a commands
  commands=(
    ${verbs.map(described).join('\n    ')}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${cases.join('\n')}
  esac
}
compdef _modlife modlife
`;
}

function fish(verbs: readonly Verb[]): string {
  const lines = ['# fish completion for modlife', 'complete -c modlife -f'];
  for (const verb of verbs) {
    lines.push(`complete -c modlife -n __fish_use_subcommand -a ${verb.text} -d ${fishQuote(verb.help)}`);
    const within = `complete -c modlife -n '__fish_seen_subcommand_from ${verb.text}'`;
    for (const { text, short, help, value } of verb.options) {
      const letter = short === undefined ? '' : ` -s ${short.slice(1)}`;
      const takes =
        value === 'none'
          ? ''
          : value === 'file'
            ? ' -r -F'
            : value === 'any'
              ? ' -x'
              : ` -x -a ${fishQuote(value.join(' '))}`;
      lines.push(`${within}${letter} -l ${text.slice(2)}${takes} -d ${fishQuote(help)}`);
    }
    for (const { text, help } of verb.first)
      lines.push(`${within} -a ${text}${help === '' ? '' : ` -d ${fishQuote(help)}`}`);
    if (verb.files) lines.push(`${within} -F`);
  }
  return `${lines.join('\n')}\n`;
}

/** fish keeps backslashes in single quotes, save before a quote or a backslash. */
function fishQuote(text: string): string {
  return `'${text.replace(/['\\]/g, (character) => `\\${character}`)}'`;
}
