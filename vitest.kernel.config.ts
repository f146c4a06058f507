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
        testTimeout: 25 * 60_000,
        hookTimeout: 25 * 60_000,
      },
    })),
  },
});
