import { type ClickHouse, connect } from '@email-events/sink-clickhouse';
import { Command } from 'commander';
import { keyOf, messageIdOf, readStory, recipientsOfMessage, type Story } from '../analytics/story.ts';
import { renderStory } from '../analytics/story-words.ts';
import { usage } from '../changes.ts';
import { type Action, loadPipelineConfig, onRun } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { fromOne } from '../option-values.ts';
import { counted, note, print, printJson } from '../output.ts';

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
  const { sinks } = await loadPipelineConfig(options);
  const clickhouse = connect(sinks.clickhouse);
  try {
    const { stories, recipients } = await storiesOf(clickhouse, { address, message, limit });
    if (options.json) printJson({ recipients, stories });
    else {
      print(stories.map(renderStory).join('\n\n') || 'no message of this id is known');
      if (recipients > stories.length)
        note(
          `the first ${stories.length} of ${counted(recipients, 'recipient')}; name an address for another`,
        );
    }
  } finally {
    await clickhouse.close();
  }
  return EXIT.ok;
};

async function storiesOf(
  clickhouse: ClickHouse,
  { address, message, limit }: { address: string | undefined; message: string | undefined; limit: number },
): Promise<{ stories: Story[]; recipients: number }> {
  if (message === undefined) {
    const story = await readStory(clickhouse, keyOf(address ?? ''), { limit });
    return { stories: [story], recipients: 1 };
  }
  const { recipients, total } = await recipientsOfMessage(clickhouse, message, {
    recipient: address === undefined ? undefined : keyOf(address),
    limit: MOST_RECIPIENTS,
  });
  const stories: Story[] = [];
  for (const { recipient, messages } of recipients)
    stories.push(await readStory(clickhouse, recipient, { limit, messages }));
  return { stories, recipients: total };
}
