import { Command } from 'commander';
import { act, examples } from '../command.ts';
import type { InspectOptions } from './inspect-action.ts';

/** `--name value` that may be given several times. */
const collect = (value: string, values: readonly string[] = []): string[] => [...values, value];

export function inspectCommand(): Command {
  const command = new Command('inspect')
    .description(
      'Show what the pipeline would do with a request, without any server: is it verified, which events are in it?\n' +
        'A FILE (- is standard input) is JSON: {"method","url","headers","body","bodyEncoding":"utf8"|"base64","receivedAt"?},\n' +
        'or a fixture of this repository, which says itself how it is verified.',
    )
    .argument('<file...>', 'requests; with --ndjson: files with one request a line')
    .option('--source <name>', 'a source of the configuration says how to verify')
    .option('--esp <name>', 'ESP, instead of a source; with --ndjson: for lines without "esp"')
    .option('--secret <value>', 'a valid secret; may be repeated', collect)
    .option('--option <key=value>', 'what else the ESP needs; repeat for a list, or give JSON', collect)
    .option(
      '--field <field=path>',
      'where campaign, variant, stream or user is from, as in `fields` of a source; may be repeated',
      collect,
    )
    .option(
      '--ndjson',
      'one request a line with its own "esp", "secrets", "options" and "fields"; one result a line',
      false,
    )
    .addHelpText(
      'after',
      '\n`fieldsFrom` tells where these were found, if not in the ESP’s own fields.\nExits 0 if every request is verified, 3 if not.',
    );
  act<InspectOptions>(command, async () => (await import('./inspect-action.ts')).inspectAction);
  return examples(
    command,
    'inspect request.json --source sendgrid',
    'inspect request.json --esp mailgun --secret key-1234',
    'inspect request.json --esp ses --option topicArns=arn:aws:sns:eu-west-1:123456789012:events',
    'inspect request.json --source sendgrid --field campaign=metadata.mailing --field campaign=esp',
    'inspect ingress/esps/fixtures/mailgun/*.json',
    'inspect --ndjson - < requests.ndjson',
  );
}
