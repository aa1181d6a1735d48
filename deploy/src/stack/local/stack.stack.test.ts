import { describeProvider } from '../testing/provider-contract.ts';
import { localProvider } from './provider.ts';

describeProvider({
  name: 'local',
  provider: localProvider(),
  kafkaLog: 'kafka/log',
  async killFromOutside(_stack, { pid }) {
    process.kill(pid ?? 0, 'SIGKILL');
  },
  lives: ({ pid }) => isAlive(pid ?? 0),
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
