import { readdirSync, readlinkSync } from 'node:fs';
import { describeBrokers } from '../../../../../test/cluster/brokers-contract.ts';
import { describeProvider } from '../testing/provider-contract.ts';
import { localProvider } from './provider.ts';

describeBrokers({ provider: localProvider(), kafkaLog: 'kafka/log' });

describeProvider({
  name: 'local',
  provider: localProvider(),
  kafkaLog: 'kafka/log',
  async killFromOutside(_stack, { pid }) {
    process.kill(pid ?? 0, 'SIGKILL');
  },
  lives: ({ pid }) => isAlive(pid ?? 0),
  // Each component has a separate folder below it.
  left: async (dataDir) =>
    readdirSync('/proc').filter((pid) => folderOf(pid).startsWith(`${dataDir}/`)).length,
});

function folderOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
