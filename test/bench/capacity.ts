import { capacityTable } from './capacity/command.ts';

/** Measures nothing: computes from what was measured. */
export async function run(args: string[]): Promise<void> {
  process.stdout.write(`${capacityTable(args)}\n`);
}
