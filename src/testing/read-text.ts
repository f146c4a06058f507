import type { Event } from '../model/event.ts';
import type { Finding } from '../model/report.ts';
import { type Capture, readCapture } from '../pipeline/capture.ts';
import { createEngine } from '../pipeline/engine.ts';

/** A capture from memory, in chunks of any size. */
export async function captureOf(bytes: Buffer, chunk = Math.max(1, bytes.length)): Promise<Capture> {
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
  }
  const source = { chunks: chunks(), progress: { bytes: 0, total: undefined } };
  return readCapture('unknown', source, 0, undefined);
}

export async function eventsOf(bytes: Buffer, chunk?: number): Promise<Event[]> {
  const events: Event[] = [];
  for await (const items of (await captureOf(bytes, chunk)).items) {
    for (const item of items) if (item.kind !== 'lost') events.push(item);
  }
  return events;
}

export async function findingsOf(bytes: Buffer): Promise<readonly Finding[]> {
  const engine = createEngine();
  const capture = await captureOf(bytes);
  for await (const items of capture.items) for (const item of items) engine.feed(item, 0);
  engine.end(capture.summary.end);
  return engine.findings;
}
