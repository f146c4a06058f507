/** --format, wherever captures are read. */
import type { Command, Option } from 'commander';
import { formats } from '../model/collector.ts';

export function formatOption(command: Command): Option {
  return command
    .createOption('--format <name>', 'read as this format instead of recognising it')
    .choices(formats);
}
