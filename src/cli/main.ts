import { writeSync } from 'node:fs';
import { processIo } from './io.ts';
import { run } from './program.ts';

const STDERR = 2;
const CANNOT = 2;

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // `| head` has seen enough: that is no error.
    if (error.code === 'EPIPE') process.exit();
    // A full disk, say. What was written is cut, so the status must not speak of findings.
    if (stream === process.stdout) writeSync(STDERR, `modlife: cannot write to stdout: ${error.message}\n`);
    process.exit(CANNOT);
  });
}

process.exitCode = await run(process.argv.slice(2), processIo());
