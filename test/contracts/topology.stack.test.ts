import { startOwnStack } from '../stack/stack.ts';
import { brokerDriver } from './topology/broker-driver.ts';
import { topologyContract } from './topology.ts';

topologyContract('on the real broker', async () => {
  const cleaning: (() => Promise<void>)[] = [];
  const stack = await startOwnStack({ onTestFinished: (clean) => cleaning.push(clean) });
  const driver = await brokerDriver(stack);
  return {
    ...driver,
    close: async () => {
      await driver.close();
      for (const clean of cleaning) await clean();
    },
  };
});
