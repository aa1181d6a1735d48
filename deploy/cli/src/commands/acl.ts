import { PipelineError } from '@email-events/core/errors';
import { Command } from 'commander';
import { type Acl, aclsOf, principals } from '../access/principals.ts';
import { type Action, examples, loadPipelineConfig, onRun } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { print, printJson } from '../output.ts';
import { services } from '../services.ts';
import { visible } from '../terminal.ts';

export function aclCommand(): Command {
  const command = new Command('acl').description('What each Kafka user has to be allowed');
  const print = new Command('print')
    .description('Print the rules as arguments of Kafka’s own kafka-acls; changes nothing')
    .option('--principal <name>', 'only of this one');
  onRun<PrintOptions>(print, printAction);
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

export interface PrintOptions {
  readonly principal?: string;
}

/** Rules for the topics and the `kafka.groupPrefix` of the configuration. Asks no cluster. */
export const printAction: Action<PrintOptions> = async (options) => {
  const config = await loadPipelineConfig(options);
  const all = principals(config.kafka.groupPrefix, services, config);
  const chosen = all.filter(({ name }) => options.principal === undefined || name === options.principal);
  if (chosen.length === 0) {
    const names = all.map(({ name }) => name).join(', ');
    throw new PipelineError(
      'CLI_USAGE',
      'reject',
      `no principal "${options.principal}"; there are: ${names}`,
    );
  }
  const acls = chosen.flatMap(aclsOf);
  if (options.json) printJson(acls);
  else print(acls.map((acl) => visible(argumentsOf(acl))).join('\n'));
  return EXIT.ok;
};

function argumentsOf({ principal, operations, resource, name, pattern }: Acl): string {
  const allowed = operations.map((operation) => `--operation ${operation}`).join(' ');
  const prefixed = pattern === 'prefixed' ? ' --resource-pattern-type prefixed' : '';
  return `--allow-principal User:${principal} ${allowed} --${resource} ${name}${prefixed}`;
}
