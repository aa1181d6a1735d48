import {
  digitsOfErased,
  isPseudonym,
  keyedId,
  type Pseudonym,
  pseudonymsOf,
  readTopic,
} from '@email-events/core';
import { topics } from '@email-events/schemas';
import { type ClickHouse, digitsOf, recipientsInRows } from '@email-events/sink-clickhouse';
import type { PipelineConfig } from '../services.ts';

/**
 * Keys of recipients that rows name and who are erased, as after a restored backup: by the hashes that `events` keeps, with which those of the rows are compared.
 * Who was mailed again since is known again, and is none of them. Throws KAFKA_UNREACHABLE …
 */
export async function erasedInRows(config: PipelineConfig, clickhouse: ClickHouse): Promise<string[]> {
  const keys = pseudonymsOf(config);
  const erased = await erasedDigits(config);
  if (erased.size === 0) return [];
  const found = new Map<string, string[]>();
  for await (const recipients of recipientsInRows(clickhouse, config.sinks.clickhouse.database))
    for (const recipient of recipients) {
      const digits = digitsIn(erased, recipient, keys);
      if (digits === undefined) continue;
      const spellings = found.get(digits);
      if (spellings) spellings.push(recipient);
      else found.set(digits, [recipient]);
    }
  const known = await knownAgain(config, new Set(found.keys()), keys);
  const left = [...found].filter(([digits]) => !known.has(digits));
  return [...new Set(left.flatMap(([, recipients]) => recipients))];
}

/** Of everybody who was ever erased. */
async function erasedDigits({ kafka }: PipelineConfig): Promise<ReadonlySet<string>> {
  const erased = new Set<string>();
  await eachState(kafka, (key, isThere) => {
    const digits = digitsOfErased(key);
    if (digits === undefined) return;
    if (isThere) erased.add(digits);
    else erased.delete(digits);
  });
  return erased;
}

/** Of these, who have a state under their address. */
async function knownAgain(
  { kafka }: PipelineConfig,
  wanted: ReadonlySet<string>,
  keys: readonly Pseudonym[],
): Promise<ReadonlySet<string>> {
  const known = new Set<string>();
  if (wanted.size === 0) return known;
  await eachState(kafka, (key, isThere) => {
    const digits = isPseudonym(key) ? undefined : digitsIn(wanted, key, keys);
    if (digits === undefined) return;
    if (isThere) known.add(digits);
    else known.delete(digits);
  });
  return known;
}

/** The digits that stand for a recipient, if they are among these. */
function digitsIn(
  among: ReadonlySet<string>,
  recipient: string,
  keys: readonly Pseudonym[],
): string | undefined {
  const stored = digitsOf(recipient);
  const all = stored === undefined ? keys.map((by) => keyedId(recipient, by)) : [stored];
  return all.find((digits) => among.has(digits));
}

/** Keys of states as they came, and whether there was one. */
async function eachState(
  kafka: PipelineConfig['kafka'],
  onState: (key: string, isThere: boolean) => void,
): Promise<void> {
  await readTopic(kafka, {
    topics: [topics.recipientState],
    from: 'beginning',
    onRecord: ({ key, value }) => onState(key?.toString() ?? '', value !== null),
  });
}
