import { createProvider, selectBreakable } from '@email-events/dev/stack';
import { forgetAddresses } from '../harness/isolation.ts';
import { brokenPipelineSuite } from './pipeline-suite.ts';

brokenPipelineSuite({
  services: 'processes',
  provider: createProvider(selectBreakable(process.env), process.env),
  // Services would prefer those of the environment to those of the stack that the test breaks.
  prepare: async () => forgetAddresses(),
});
