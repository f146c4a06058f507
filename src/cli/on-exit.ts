const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** Has `cleanUp` run when the process ends before its time, ^C included. @returns takes that back */
export function onExit(cleanUp: () => void): () => void {
  const stop = (signal: keyof typeof SIGNALS) => process.exit(128 + SIGNALS[signal]);
  process.once('exit', cleanUp);
  for (const signal of Object.keys(SIGNALS)) process.once(signal, stop);
  return () => {
    process.off('exit', cleanUp);
    for (const signal of Object.keys(SIGNALS)) process.off(signal, stop);
  };
}
