import { PipelineError } from '@email-events/core/errors';
import { Command, Option } from 'commander';
import { type Acl, aclsOf, principals } from '../access/principals.ts';
import { type Authentication, kafkaUsers } from '../access/strimzi.ts';
import { type Action, examples, loadPipelineConfig, onRun } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { print, printJson } from '../output.ts';
import { services } from '../services.ts';
import { printManifests, type StrimziChoice, strimziOptions, withStrimzi } from '../strimzi-options.ts';
import { visible } from '../terminal.ts';

export function aclCommand(): Command {
  const command = new Command('acl').description('What each Kafka user has to be allowed');
  const print = new Command('print')
    .description(
      'Print the rules as arguments of Kafka’s own kafka-acls, or as users of Strimzi; changes nothing',
    )
    .option('--principal <name>', 'only of this one');
  withStrimzi(print).addOption(
    new Option('--authentication <how>', 'of the users of Strimzi')
      .choices(['scram-sha-512', 'tls'] satisfies Authentication[])
      .default('scram-sha-512'),
  );
  onRun<PrintOptions>(print, printAction);
  command.addCommand(
    examples(
      print,
      'acl print',
      'acl print --principal ingress | xargs -L1 kafka-acls.sh --bootstrap-server kafka:9092 --add',
      'acl print --json',
      'acl print --strimzi my-cluster | kubectl apply -n kafka -f -',
    ),
  );
  return command;
}

export interface PrintOptions extends StrimziChoice {
  readonly principal?: string;
  readonly authentication?: Authentication;
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
  const strimzi = strimziOptions(options);
  if (strimzi) {
    const { authentication = 'scram-sha-512' } = options;
    printManifests(kafkaUsers(chosen, config.kafka.groupPrefix, { ...strimzi, authentication }), options);
    return EXIT.ok;
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
