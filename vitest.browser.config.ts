import { defineConfig } from 'vitest/config';

/** Tests that drive a real browser: `npm run test:browser`. */
export default defineConfig({
  test: {
    include: ['src/**/*.browser.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
