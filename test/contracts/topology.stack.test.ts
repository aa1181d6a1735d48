import { fileScope, vacantStack } from '../harness/stack.ts';
import { brokerDriver } from './topology/broker-driver.ts';
import { topologyContract } from './topology.ts';

topologyContract('on the real broker', async () => {
  const file = fileScope();
  const driver = await brokerDriver(await vacantStack(file.scope));
  return {
    ...driver,
    close: async () => {
      await driver.close();
      await file.end();
    },
  };
});
