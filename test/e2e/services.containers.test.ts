import { createProvider } from '@email-events/dev/stack';
import { forgetAddresses } from '../harness/isolation.ts';
import { brokenPipelineSuite, type PipelineUnderTest, pipelineSuite } from './pipeline-suite.ts';

// Every service a container of the image that production runs, on components in containers.
const inContainers: PipelineUnderTest = {
  services: 'containers',
  provider: createProvider('containers', process.env),
  prepare: async () => forgetAddresses(),
};

pipelineSuite(inContainers);
brokenPipelineSuite(inContainers);
