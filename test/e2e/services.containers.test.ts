import { createProvider } from '@email-events/dev/stack';
import { forgetAddresses } from '../harness/isolation.ts';
import { wholePipelineSuite } from './pipeline-suite.ts';

// Every service a container of the image that production runs, on components in containers.
wholePipelineSuite({
  services: 'containers',
  provider: createProvider('containers', process.env),
  prepare: async () => forgetAddresses(),
});
