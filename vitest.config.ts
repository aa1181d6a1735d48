import { defineConfig } from 'vitest/config';

// unit and contracts need nothing. unit takes less than a minute: a test that spawns processes, walks over all adapters, or
// fuzzes for long is named *.contract.test.ts and runs with the contracts. stack runs against real components that its files
// share, own-stack and faults against those that each file starts; containers needs a container engine.
// Output is compared as text, also where a terminal or CI would be given colours.
const common = { testTimeout: 20_000, hookTimeout: 60_000, env: { NO_COLOR: '1' } };
const real = { testTimeout: 120_000, hookTimeout: 180_000, fileParallelism: false };
const needComponents = ['stack', 'own-stack', 'containers', 'server'].map((kind) => `**/*.${kind}.test.ts`);

// One process takes many files, since to import the same modules again for each would be half of the time. A unit test
// therefore restores what it changes of the process: environment, clock, listeners.
const unit = {
  ...common,
  name: 'unit',
  isolate: false,
  include: [
    '{schemas,core,ingress,processors,sinks,deploy,test/{src,checks,harness,faults,abuse,bench,crm}}/**/*.test.ts',
  ],
  exclude: ['**/node_modules/**', '**/*.contract.test.ts', ...needComponents],
};

const contracts = {
  ...common,
  testTimeout: 60_000,
  name: 'contracts',
  include: ['test/contracts/**/*.test.ts', '**/*.contract.test.ts'],
  exclude: ['**/node_modules/**', ...needComponents],
};

const stack = {
  ...real,
  name: 'stack',
  include: ['**/*.stack.test.ts'],
  exclude: ['**/node_modules/**'],
  globalSetup: ['test/harness/global-setup.ts'],
};

// Apart from the others: neither needs what the other has, so the two run side by side.
const ownStack = {
  ...real,
  name: 'own-stack',
  include: ['**/*.own-stack.test.ts'],
  exclude: ['**/node_modules/**', 'test/faults/**'],
};

// Those of them that take longest.
const faults = {
  ...real,
  name: 'faults',
  include: ['test/faults/**/*.own-stack.test.ts'],
  exclude: ['**/node_modules/**'],
};

const containers = {
  ...real,
  // Some build images.
  hookTimeout: 900_000,
  name: 'containers',
  include: ['**/*.containers.test.ts'],
  exclude: ['**/node_modules/**'],
  globalSetup: ['test/harness/engine-setup.ts'],
};

// CRMs that take long to install: no part of npm test, but of npm run test:crm, which names it.
const servers = {
  ...real,
  name: 'servers',
  include: ['**/*.server.test.ts'],
  exclude: ['**/node_modules/**'],
  globalSetup: ['test/harness/global-setup.ts'],
};

/** Many machines have no container engine: only a run that is meant for one, or names the project, needs it. */
function usesContainers(): boolean {
  const { env } = process;
  return isNamed('containers') || env.STACK === 'containers';
}

function isNamed(project: string): boolean {
  const { argv } = process;
  return argv.some(
    (arg, i) => arg === `--project=${project}` || (arg === project && argv[i - 1] === '--project'),
  );
}

const ofNeed = [...(usesContainers() ? [containers] : []), ...(isNamed('servers') ? [servers] : [])];

export default defineConfig({
  test: {
    // The default leaves one core to vitest itself, which has little to do: of two cores, half would be idle.
    maxWorkers: '100%',
    // Tests that run at once do so to wait together.
    maxConcurrency: 16,
    projects: [unit, contracts, stack, ownStack, faults, ...ofNeed].map((test) => ({ test })),
  },
});
