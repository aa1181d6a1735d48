import { Command } from 'commander';
import { act, examples } from '../command.ts';
import type { PrintOptions } from './acl-action.ts';

export function aclCommand(): Command {
  const command = new Command('acl').description('What each Kafka user has to be allowed');
  const print = new Command('print')
    .description('Print the rules as arguments of Kafka’s own kafka-acls; changes nothing')
    .option('--principal <name>', 'only of this one');
  act<PrintOptions>(print, async () => (await import('./acl-action.ts')).printAction);
  command.addCommand(
    examples(
      print,
      'acl print',
      'acl print --principal ingress | xargs -L1 kafka-acls.sh --bootstrap-server kafka:9092 --add',
      'acl print --json',
    ),
  );
  return command;
}
