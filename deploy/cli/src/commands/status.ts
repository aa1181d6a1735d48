import { Command } from 'commander';
import { act, examples } from '../command.ts';
import type { StatusOptions } from './status-action.ts';

export function statusCommand(): Command {
  const command = new Command('status')
    .description(
      'Show what runs, what came in by source, what waits: of the local pipeline, of the services of a configuration, or of any by their admin ports',
    )
    .option(
      '--admin <url>',
      'of the services behind these admin ports, wherever they run; several instances of the ingress are summed: with commas, or repeated',
      collect,
    )
    .option('--urls', 'only the webhook of each source of the local pipeline', false);
  act<StatusOptions>(command, async () => (await import('./status-action.ts')).statusAction);
  command.addHelpText(
    'after',
    `
Exits 0 if all takes work, also if some of it is degraded; 1 if something does not, or if of all requests of a source in the
last minutes none was accepted; 4 if no configuration is named and nothing runs here.`,
  );
  return examples(
    command,
    'status',
    'status --urls',
    'status --config deploy/config/pipeline.yaml',
    'status --admin http://10.0.0.5:9080,http://10.0.0.6:9080 --admin http://10.0.0.7:9081',
  );
}

const collect = (value: string, values: readonly string[] = []): string[] => [...values, ...value.split(',')];
