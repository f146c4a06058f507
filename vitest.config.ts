import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // dist/ holds compiled copies of the same tests' subjects; only the sources are tested.
    include: ['{src,collectors}/**/*.test.ts'],
    // Those need a browser: npm run test:browser.
    exclude: ['**/*.browser.test.ts'],
    testTimeout: 30_000,
  },
});
