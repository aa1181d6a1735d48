import { type ClickHouse, connect, isStoredPseudonym, keysAsked } from '@email-events/sink-clickhouse';
import { Command } from 'commander';
import {
  keyOf,
  mayHavePseudonyms,
  messageIdOf,
  readStory,
  recipientsOfMessage,
  type Story,
} from '../analytics/story.ts';
import { renderStory } from '../analytics/story-words.ts';
import { usage } from '../changes.ts';
import { type Action, loadPipelineConfig, onRun } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { fromOne } from '../option-values.ts';
import { counted, note, print, printJson } from '../output.ts';
import type { PipelineConfig } from '../services.ts';

export function recipientCommand(): Command {
  const command = new Command('recipient')
    .description(
      'Tell the story of the mail to a recipient: did it arrive, what became of it, and how that is known',
    )
    .argument('[address]', 'the email address, in any spelling')
    .option(
      '--message <id>',
      'instead, or besides: only this message, by the ESP’s id, its Message-ID, or SendGrid’s X-Message-Id',
    )
    .option('--limit <n>', 'show the newest n messages', fromOne, 10);
  return onRun<RecipientOptions>(
    command,
    recipientAction,
    'recipient ann@example.com',
    'recipient ann@example.com --limit 100 --json',
    'recipient --message 20260901.1234@shop.example',
  );
}

export interface RecipientOptions {
  readonly message?: string;
  readonly limit: number;
}

/** Of a message to very many, a few show what became of it. */
const MOST_RECIPIENTS = 20;

/** Exits with 0 whatever became of the mail: it is an answer. */
export const recipientAction: Action<RecipientOptions> = async (options, [address]) => {
  const { limit } = options;
  const message = options.message === undefined ? undefined : messageIdOf(options.message);
  if (address === undefined && message === undefined) throw usage('an address or --message is needed');
  if (message === '') throw usage('--message: an id is needed');
  if (address?.trim() === '') throw usage('the address is empty');
  const config = await loadPipelineConfig(options);
  const clickhouse = connect(config.sinks.clickhouse);
  try {
    const { stories, recipients } = await storiesOf(clickhouse, { address, message, limit, config });
    if (options.json) printJson({ recipients, stories });
    else {
      print(stories.map(renderStory).join('\n\n') || 'no message of this id is known');
      if (recipients > stories.length)
        note(
          `the first ${stories.length} of ${counted(recipients, 'recipient')}; name an address for another`,
        );
    }
    if (
      address !== undefined &&
      config.erasure.keys.length === 0 &&
      stories.every(isEmpty) &&
      (await isHinted(clickhouse))
    )
      note(
        'ClickHouse seems to store keyed hashes in place of addresses: erasure.keys of sink-clickhouse is needed, or the hash itself (hashed:…)',
      );
  } finally {
    await clickhouse.close();
  }
  return EXIT.ok;
};

interface Asked {
  readonly address: string | undefined;
  readonly message: string | undefined;
  readonly limit: number;
  readonly config: PipelineConfig;
}

const isEmpty = ({ messages, others, suppression }: Story) =>
  messages.length + others.length === 0 && !suppression;

/** The answer stands without the hint: limits of an analyst may not let it be had. */
const isHinted = (clickhouse: ClickHouse) => mayHavePseudonyms(clickhouse).catch(() => false);

/** Analysts know recipients by what stands for them. */
const keysOf = (key: string, config: PipelineConfig) =>
  isStoredPseudonym(key) ? [key] : keysAsked(config, key);

async function storiesOf(
  clickhouse: ClickHouse,
  { address, message, limit, config }: Asked,
): Promise<{ stories: Story[]; recipients: number }> {
  const inRows = address === undefined ? undefined : keysOf(keyOf(address), config);
  if (message === undefined) {
    const story = await readStory(clickhouse, keyOf(address ?? ''), { limit, keys: inRows ?? [] });
    return { stories: [story], recipients: 1 };
  }
  const { recipients, total } = await recipientsOfMessage(clickhouse, message, {
    recipient: inRows,
    limit: MOST_RECIPIENTS,
  });
  const stories: Story[] = [];
  for (const { recipient, messages } of recipients)
    stories.push(await readStory(clickhouse, recipient, { limit, messages }));
  return { stories, recipients: total };
}
