import { memoryDriver } from './topology/memory-driver.ts';
import { topologyContract } from './topology.ts';

topologyContract('in memory', async () => memoryDriver());
