import { pseudonymsOf } from '@email-events/core';
import type { Suppression } from '@email-events/schemas';
import { Command, Option } from 'commander';
import { type Action, examples, loadPipelineConfig, onRun } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { fromOne, fromZero, time } from '../option-values.ts';
import { counted, formatCount, note, print, printJson, printLines, progress } from '../output.ts';
import { keysOfAddresses } from '../suppressions/address.ts';
import { REASONS } from '../suppressions/orders.ts';
import { readActions, readState, readStates, suppressionsOf } from '../suppressions/topic.ts';
import { jsonText } from '../terminal.ts';
import { type AddOptions, addAction, type LiftOptions, liftAction, ordered } from './suppressions-change.ts';
import { exportCommand, importCommand } from './suppressions-files.ts';
import {
  actionJson,
  type ListedReason,
  reasonJson,
  renderReasons,
  renderStory,
} from './suppressions-render.ts';

export function suppressionsCommand(): Command {
  const command = new Command('suppressions').description(
    'Who must not get mail, why, and what operators say of it',
  );
  command.addCommand(getCommand());
  command.addCommand(listCommand());
  command.addCommand(addCommand());
  command.addCommand(liftCommand());
  command.addCommand(exportCommand());
  command.addCommand(importCommand());
  return command;
}

function getCommand(): Command {
  const command = new Command('get')
    .description('Say whether a recipient is suppressed, why, and what operators did about it')
    .argument('<address>', 'the email address');
  onRun<GetOptions>(command, getAction);
  command.addHelpText('after', '\nIt is read from Kafka; ClickHouse is not needed.');
  return examples(command, 'suppressions get ann@example.com', 'suppressions get ann@example.com --json');
}

function listCommand(): Command {
  const command = new Command('list')
    .description('Show active reasons, the newest first')
    .addOption(new Option('--reason <reason>', 'only this reason').choices([...REASONS]))
    .option('--scope <scope>', 'only of this scope: all, or the name of a stream')
    .option('--source <name>', 'only given by this webhook')
    .option('--esp <name>', 'only given by this ESP')
    .option(
      '--since <time>',
      'only what happened then or later: 2026-01-31T08:00Z, or how long ago: 36h',
      time,
    )
    .option('--limit <n>', 'show the newest n', fromOne, 100)
    .option('--ndjson', 'print all of them, one JSON line each, in no order', false);
  return onRun<ListOptions>(
    command,
    listAction,
    'suppressions list --reason complaint --since 7d',
    'suppressions list --source main --limit 1000 --json',
    'suppressions list --ndjson > suppressed.ndjson',
  );
}

function addCommand(): Command {
  const command = new Command('add')
    .description('Suppress recipients, because an operator says so')
    .argument('[address...]', 'email addresses')
    .option('--file <file>', 'addresses from a file, one a line; - is standard input')
    .option('--scope <scope>', 'all, or the name of a stream', 'all');
  ordered(command);
  return onRun<AddOptions>(
    command,
    addAction,
    'suppressions add ann@example.com --why "asked by phone"',
    'suppressions add --file addresses.txt --scope newsletter --why "list was bought"',
  );
}

function liftCommand(): Command {
  const command = new Command('lift')
    .description('Lift suppressions: of recipients, or all that a source caused in a time')
    .argument('[address...]', 'email addresses')
    .option('--file <file>', 'addresses from a file, one a line; - is standard input')
    .addOption(new Option('--reason <reason>', 'only this reason').choices([...REASONS]))
    .option('--scope <scope>', 'only of this scope: all, or the name of a stream')
    .option('--source <name>', 'instead of addresses: take back what this webhook said')
    .option(
      '--not-made-by-mapping',
      'instead of addresses: suppressions that today’s mapping would not make',
      false,
    )
    .option(
      '--from <time>',
      'with --source: received then or later: 2026-01-31T08:00Z, or how long ago: 36h; with --not-made-by-mapping: in force since then',
      time,
    )
    .option('--to <time>', 'before then', time)
    .option('--yes-change <n>', 'without addresses: do it, for just so many as it was said', fromZero);
  ordered(command);
  onRun<LiftOptions>(command, liftAction);
  command.addHelpText(
    'after',
    '\nWithout addresses nothing is done until --yes-change says the number that was shown. What is taken back of a source does not\ncount any more, also when it is sent, replayed or backfilled again; what others said of the same recipients stays.',
  );
  return examples(
    command,
    'suppressions lift ann@example.com --why "wrote to us" --reason complaint',
    'suppressions lift --source main --from 2026-01-31T08:00Z --to 2026-01-31T09:00Z --why "secret leaked"',
    'suppressions lift --source main --from 2026-01-31T08:00Z --to 2026-01-31T09:00Z --why "secret leaked" --yes-change 1234',
    'suppressions lift --not-made-by-mapping --from 30d --why "full mailboxes were read as hard bounces"',
  );
}

export type GetOptions = object;

export interface ListOptions {
  readonly reason?: string;
  readonly scope?: string;
  readonly source?: string;
  readonly esp?: string;
  readonly since?: number;
  readonly limit: number;
  readonly ndjson: boolean;
}

/** Exits with 0 whether or not the recipient is suppressed: a state is no failure. */
export const getAction: Action<GetOptions> = async (options, [address = '']) => {
  const [recipient = ''] = keysOfAddresses([address]);
  const from = suppressionsOf(await loadPipelineConfig(options));
  const keys = [recipient, ...pseudonymsOf(from.config).map((pseudonym) => pseudonym(recipient))];
  const [state, actions] = await Promise.all([
    readState(from, recipient, keys),
    readActions(from, recipient, keys),
  ]);
  const story = { recipient, state, actions };
  if (options.json) {
    printJson({
      recipient,
      known: state !== undefined,
      suppressed: state?.suppressed ?? false,
      reasons: state?.reasons.map(reasonJson) ?? [],
      changedAt: state ? new Date(state.changed_at).toISOString() : null,
      changedBy: state?.event_id ?? null,
      revision: state?.revision ?? null,
      actions: actions.map(actionJson),
    });
  } else print(renderStory(story));
  return EXIT.ok;
};

export const listAction: Action<ListOptions> = async (options) => {
  const from = suppressionsOf(await loadPipelineConfig(options));
  const isMeant = matcher(options);
  const states = await readStates(from, {
    wanted: ({ reasons }) => reasons.some(isMeant),
    ...(options.json || options.ndjson
      ? {}
      : { onProgress: (records: number) => progress(`${counted(records, 'record')} read`) }),
  });
  if (options.ndjson) {
    for (const state of states.values()) {
      const lines = listed(state, isMeant).map((reason) => `${jsonText(listedJson(reason))}\n`);
      await printLines(lines.join(''));
    }
    return EXIT.ok;
  }
  const all = [...states.values()]
    .flatMap((state) => listed(state, isMeant))
    .sort((a, b) => b.since - a.since);
  const shown = all.slice(0, options.limit);
  if (options.json) printJson({ total: all.length, recipients: states.size, reasons: shown.map(listedJson) });
  else {
    print(await renderReasons(shown));
    const total = `${counted(all.length, 'active reason')} of ${counted(states.size, 'recipient')}`;
    note(
      shown.length < all.length
        ? `the newest ${formatCount(shown.length)} of ${total}; --limit shows more`
        : total,
    );
  }
  return EXIT.ok;
};

function matcher({ reason, scope, source, esp, since }: ListOptions) {
  return (active: Suppression['reasons'][number]): boolean =>
    (reason === undefined || active.reason === reason) &&
    (scope === undefined || active.scope === scope) &&
    (source === undefined || active.source === source) &&
    (esp === undefined || active.esp === esp) &&
    (since === undefined || active.since >= since);
}

const listed = (
  { recipient, reasons }: Suppression,
  isMeant: (reason: Suppression['reasons'][number]) => boolean,
): ListedReason[] => reasons.filter(isMeant).map((reason) => ({ recipient, ...reason }));

const listedJson = ({ recipient, ...reason }: ListedReason) => ({ recipient, ...reasonJson(reason) });
