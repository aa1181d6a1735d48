import { Command } from 'commander';
import { print } from '../../../cli/output.ts';
import { connectEngine } from '../engine.ts';
import { sweep } from '../remove.ts';

export function cleanCommand(): Command {
  return new Command('clean')
    .description('Remove containers and networks of ours that nobody uses, those kept for reuse included')
    .action(clean);
}

async function clean(): Promise<void> {
  const engine = await connectEngine();
  const stacks = await sweep(engine, true);
  print(stacks.length === 0 ? 'no stack is left over' : `removed what was left of ${stacks.join(', ')}`);
}
