import { defineConfig } from 'vitest/config';

/** Tests that boot real kernels in the lab: `npm run test:kernel`. */
export default defineConfig({
  test: {
    include: ['src/**/*.kernel.test.ts'],
    testTimeout: 25 * 60_000,
    hookTimeout: 25 * 60_000,
  },
});
