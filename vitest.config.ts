import { defineConfig } from 'vitest/config';

// unit and contracts need nothing; stack runs against the real components.
const common = { testTimeout: 20_000, hookTimeout: 60_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: ['{schemas,core,ingress,processors,sinks,deploy,test/{src,checks,faults}}/**/*.test.ts'],
          exclude: ['**/node_modules/**', '**/*.stack.test.ts'],
        },
      },
      {
        test: {
          ...common,
          name: 'contracts',
          include: ['test/contracts/**/*.test.ts'],
          exclude: ['**/*.stack.test.ts'],
        },
      },
      {
        test: {
          ...common,
          name: 'stack',
          include: ['**/*.stack.test.ts'],
          exclude: ['**/node_modules/**'],
          globalSetup: ['test/stack/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
