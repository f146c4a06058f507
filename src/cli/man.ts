/** The manual page, made from the program itself so that it says what --help says. */
import type { Command } from 'commander';
import { EXIT, EXIT_MEANS } from './exit.ts';

/** man(7) macros, for groff and mandoc alike. */
export function manPage(program: Command, version: string): string {
  return `${[
    `.TH MODLIFE 1 "" "modlife ${version}"`,
    '.SH NAME',
    roff(`modlife - ${uncapitalised(program.description().replace(/\.$/, ''))}`),
    '.SH SYNOPSIS',
    '.B modlife',
    '.I command',
    '[\\fIoptions\\fR] [\\fIcapture\\fR...]',
    '.SH DESCRIPTION',
    // In short: it has a section of its own here.
    ...afterHelp(program)
      .filter((paragraph) => !paragraph.startsWith('Exit status'))
      .flatMap(filled),
    '.SH COMMANDS',
    ...program.commands.flatMap(commandSection),
    '.SH "EXIT STATUS"',
    ...Object.entries(EXIT_MEANS).flatMap(([name, means]) => [
      '.TP',
      `.B ${EXIT[name as keyof typeof EXIT]}`,
      roff(means),
    ]),
    '.SH SEE ALSO',
    '.BR trace-cmd (1),',
    '.BR perf-script (1),',
    '.BR bpftrace (8),',
    '.BR rmmod (8)',
  ].join('\n')}\n`;
}

function commandSection(command: Command): string[] {
  return [
    `.SS "modlife ${command.name()} ${quoted(command.usage())}"`,
    roff(`${capitalised(command.description())}.`),
    ...command.registeredArguments.flatMap((argument) => [
      '.TP',
      `.I ${roff(argument.name())}`,
      roff(
        [
          argument.description,
          ...(argument.argChoices === undefined ? [] : [`(${argument.argChoices.join(', ')})`]),
        ].join(' '),
      ),
    ]),
    ...command.options.flatMap(({ flags, description, argChoices, defaultValue }) => [
      '.TP',
      `.B ${roff(flags)}`,
      roff(
        [
          description,
          ...(argChoices === undefined ? [] : [`(${argChoices.join(', ')})`]),
          ...(typeof defaultValue === 'string' ? [`[default: ${defaultValue}]`] : []),
        ].join(' '),
      ),
    ]),
    ...afterHelp(command).flatMap((paragraph) =>
      paragraph.startsWith('Example')
        ? ['.PP', '.nf', ...paragraph.split('\n').map(roff), '.fi']
        : filled(paragraph),
    ),
  ];
}

function filled(paragraph: string): string[] {
  return ['.PP', roff(paragraph.replaceAll('\n', ' '))];
}

/** What addHelpText said, by paragraph; commander tells it only as a part of the whole. */
function afterHelp(command: Command): string[] {
  let whole = '';
  const { writeOut } = command.configureOutput();
  command.configureOutput({ writeOut: (text) => (whole += text) });
  command.outputHelp();
  command.configureOutput(writeOut === undefined ? {} : { writeOut });
  const after = whole.slice(command.helpInformation().length).trim();
  return after === '' ? [] : after.split(/\n\n+/);
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function uncapitalised(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function roff(text: string): string {
  const escaped = text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('…', '...');
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

/** Within quotes of a macro a quote is written twice. */
function quoted(text: string): string {
  return roff(text).replaceAll('"', '""');
}
