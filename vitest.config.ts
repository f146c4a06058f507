import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // dist/ holds compiled copies of the same tests' subjects; only the sources are tested.
    include: ['{src,collectors}/**/*.test.ts'],
    // Those need a browser, and a machine that can boot kernels: npm run test:browser, npm run test:kernel.
    exclude: ['**/*.browser.test.ts', '**/*.kernel.test.ts'],
    globalSetup: 'src/testing/built-program.ts',
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // One fewer by default, which on two cores is one after the other.
    maxWorkers: '100%',
  },
});
