/** A folder with the files of a real kernel in it, which does what it is told no more than a folder does. */
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createKernel, type Kernel } from '../capture/kernel.ts';

export const TRACEFS = '/sys/kernel/tracing';

export interface FakeKernel extends Kernel {
  put(path: string, text: string): void;
  /** What an instance finds in a file of its own when it is made. */
  inInstances(name: string, text: string): void;
  remove(): void;
}

/** @param sample of src/testing/kernels: what a guest with that kernel said */
export function fakeKernel(sample: string): FakeKernel {
  const root = mkdtempSync(join(tmpdir(), 'modlife-test-kernel-'));
  const kernel = createKernel(root);
  const template = join(root, 'template');

  function put(path: string, text: string): void {
    const file = kernel.locate(path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, 'latin1');
  }

  const files: Record<string, string> = JSON.parse(
    readFileSync(`src/testing/kernels/${sample}.json`, 'utf8'),
  );
  for (const [path, text] of Object.entries(files)) {
    put(path, text);
    if (!path.endsWith('/format')) continue;
    for (const control of ['enable', 'filter', 'trigger']) {
      put(`${dirname(path)}/${control}`, '');
      put(`/template${dirname(path).slice(TRACEFS.length)}/${control}`, '');
    }
  }
  for (const control of [
    'tracing_on',
    'trace_clock',
    'buffer_size_kb',
    'buffer_percent',
    'trace_marker',
    'trace_pipe',
  ])
    put(`/template/${control}`, '');
  put('/template/events/enable', '');
  for (const cpu of ['cpu0', 'cpu1']) {
    mkdirSync(kernel.locate(`${TRACEFS}/per_cpu/${cpu}`), { recursive: true });
    put(`/template/per_cpu/${cpu}/stats`, 'entries: 0\noverrun: 0\ndropped events: 0\n');
  }
  put(`${TRACEFS}/kprobe_events`, '');
  put(`${TRACEFS}/kprobe_profile`, '');
  mkdirSync(kernel.locate(`${TRACEFS}/instances`));

  return {
    ...kernel,
    put,
    inInstances: (name, text) => put(`/template/${name}`, text),
    write(path, text) {
      // The kernel makes the folder of an event when it is defined.
      const defined = /^[pr]\d*:(\w+\/\w+) /.exec(text)?.[1];
      if (path.endsWith('/kprobe_events') && defined !== undefined) {
        for (const instance of kernel.list(`${TRACEFS}/instances`)) {
          for (const control of ['enable', 'filter', 'trigger'])
            put(`${TRACEFS}/instances/${instance}/events/${defined}/${control}`, '');
        }
      }
      if (!existsSync(kernel.locate(path))) return 'ENOENT';
      appendFileSync(kernel.locate(path), `${text}\n`);
      return undefined;
    },
    makeFolder(path) {
      if (existsSync(kernel.locate(path))) return 'EEXIST';
      cpSync(template, kernel.locate(path), { recursive: true });
      return undefined;
    },
    removeFolder(path) {
      rmSync(kernel.locate(path), { recursive: true });
      return undefined;
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
