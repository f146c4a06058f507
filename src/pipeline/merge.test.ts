/** Invented records. */
import { expect, test } from 'vitest';
import { captureOf } from '../testing/read-text.ts';
import { mergeCaptures } from './merge.ts';

const record = (time: string, what: string) => `            bash-20      [000] .....  ${time}: ${what}\n`;
const load = (time: string, module: string) => record(time, `module_load: ${module} OE`);

async function merged(...texts: string[]): Promise<string[]> {
  const captures = await Promise.all(texts.map((text) => captureOf(Buffer.from(text))));
  const order: string[] = [];
  for await (const { input, items } of mergeCaptures(captures)) {
    for (const item of items)
      order.push(item.kind === 'lost' ? `lost@${input}` : `${item.ts / 1e9}@${input}`);
  }
  return order;
}

test('captures of one boot are one stream in time order', async () => {
  expect(
    await merged(
      load('1.000000', 'a') + load('4.000000', 'b'),
      load('2.000000', 'c') + load('3.000000', 'd'),
    ),
  ).toEqual(['1@0', '2@1', '3@1', '4@0']);
});

test('a loss stays with the event before it', async () => {
  expect(
    await merged(
      `${load('1.000000', 'a')}CPU:0 [LOST 7 EVENTS]\n${load('4.000000', 'b')}`,
      load('2.000000', 'c'),
    ),
  ).toEqual(['1@0', 'lost@0', '2@1', '4@0']);
});

test('clocks that cannot be related are refused, and the reason told', async () => {
  await expect(merged(load('1.000000', 'a'), load('           3', 'b'))).rejects.toThrow(
    /cannot order .* \(kernel seconds\) with .* \(a counter, not a time\)/,
  );
});

test('a kernel log comes after the traces, since its clock may be off', async () => {
  const oops =
    '[    1.500000] BUG: unable to handle page fault for address: ffffffffc0410000\n' +
    '[    1.500010] CPU: 1 PID: 20 Comm: bash Tainted: G           OE      6.1.0 #1\n' +
    '[    1.500020] RIP: 0010:0xffffffffc0410000\n' +
    '[    1.500030] ---[ end trace 0000000000000000 ]---\n';
  expect(await merged(load('1.000000', 'a') + load('2.000000', 'b'), oops)).toEqual(['1@0', '2@0', '1.5@1']);
});

test('what a crash dumped to the log is told where no trace tells it', async () => {
  const log =
    '[    9.500000] BUG: unable to handle page fault for address: ffffffffc0410000\n' +
    '[    9.500010] CPU: 1 PID: 20 Comm: bash Tainted: G           OE      6.1.0 #1\n' +
    '[    9.600000] Dumping ftrace buffer:\n' +
    '[    9.600010] ---------------------------------\n' +
    '[    9.600020]     bash-20        0..... 1000000us : module_load: a OE\n' +
    '[    9.600030] ---------------------------------\n';
  expect(await merged(log, log)).toEqual(['9.5@0', '9.5@0', '9.5@1']);
  expect(await merged(load('1.000000', 'a') + load('2.000000', 'b'), log)).toEqual(['1@0', '2@0', '9.5@1']);
});
