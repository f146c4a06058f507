/** The kernel's log beside a source: what it tells of oopses, BUGs, WARNs and hung tasks, as it comes. */
import { kernelLog } from '../../collectors/kernel-log/collector.ts';
import { createIntake, type Intake } from '../pipeline/intake.ts';
import { createLineSplitter } from '../pipeline/lines.ts';
import { isOfDump } from '../pipeline/merge.ts';
import type { Item } from '../pipeline/settle.ts';

export interface LogReader {
  readonly intake: Intake;
  /** @returns the reports that are whole by now */
  push(text: Buffer): Item[];
  end(): Item[];
}

/** @param input its index */
export function createLogReader(input: number): LogReader {
  const intake = createIntake('kernel log', kernelLog.name, input);
  const parser = kernelLog.createParser(intake.sink);
  const splitter = createLineSplitter((bytes, start, end, line) => parser.line(bytes, start, end, line));

  function take(): Item[] {
    intake.release();
    // The source tells what a dump holds.
    return intake.take(splitter.lines).filter((item) => !isOfDump(item));
  }

  return {
    intake,
    push(text) {
      splitter.push(text);
      return take();
    },
    end() {
      splitter.end();
      parser.end();
      return take();
    },
  };
}
