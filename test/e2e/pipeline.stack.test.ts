import { vacantStack } from '../harness/stack.ts';
import { pipelineSuite } from './pipeline-suite.ts';

// Every service in a separate process. A stack that others share has no room for a second pipeline.
pipelineSuite({ services: 'processes', prepare: vacantStack });
