/** One backend at work. */
import type { Manifest, PlannedProbe } from '../model/manifest.ts';

export type Refused = Manifest['notProbed'][number];

export interface Session {
  /** What its stream is called in the capture directory. */
  readonly file: string;
  /** It writes that file itself, and its text is of the loads of modules alone. */
  readonly isWriter?: true;
  /** Resolves when what happens from now on is recorded. */
  readonly ready: Promise<void>;
  /** What could not be set up, and why. */
  readonly refused: readonly Refused[];
  /** The functions of a module that can be probed, sooner than by reading all that can; undefined where this kernel
   *  does not tell. */
  traceable(module: string): string[] | undefined;
  /** More probes, while recording. @returns those that were set */
  probe(probes: readonly PlannedProbe[]): PlannedProbe[];
  /** The text as it is printed, until `stop` or an end of its own, which is an error. */
  stream(onText: (text: Buffer) => void): Promise<void>;
  /** Ends the stream, once all that was recorded has been told. */
  stop(): void;
  /** Per CPU with losses, how many events, and how many of these its file tells of, where that is not in the text. */
  lost(): { cpu: number; lost: number; told?: number }[];
  /** Probes that found all their places taken. */
  missed(): Manifest['missed'];
  /** Takes all of it away again. @returns why that did not succeed */
  remove(): string | undefined;
}
