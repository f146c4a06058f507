import { defineConfig } from 'vitest/config';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The kernel of the lab whose guest to boot. */
    kernel: string;
  }
}

/** Tests that boot real kernels in the lab, each kernel beside the others: `npm run test:kernel`. */
export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: ['6.1', '6.12'].map((kernel) => ({
      test: {
        name: `Linux ${kernel}`,
        provide: { kernel },
        include: ['src/**/*.kernel.test.ts'],
        // Some minutes; an hour where the machine is slow.
        testTimeout: 60 * 60_000,
        hookTimeout: 60 * 60_000,
        // There a guest may crash before its recorder has written what led to it.
        retry: 2,
      },
    })),
  },
});
