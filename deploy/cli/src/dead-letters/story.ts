import { originOf } from '@email-events/core';
import { CodecError, type DeadLetter, topicCatalogue } from '@email-events/schemas';
import type { PipelineConfig } from '../services.ts';
import {
  isMeant,
  isRepeat,
  type LetterId,
  type LetterSummary,
  type Letters,
  readLetters,
  summaryOf,
} from './letters.ts';

/** Bytes for people: as text where they are text. */
export interface Shown {
  readonly bytes: number;
  readonly encoding: 'utf8' | 'base64' | 'avro';
  readonly content: unknown;
}

/** All that is known of a letter. */
export interface Story {
  /** The newest state. */
  readonly letter: LetterSummary;
  readonly recordedAt: number | null;
  readonly item: Shown | null;
  readonly key: Shown | null;
  readonly value: Shown | null;
  readonly headers: { readonly [name: string]: Shown };
  /** Every state it went through, the oldest first. */
  readonly history: readonly LetterSummary[];
}

/** Empty if there is no such letter. */
export async function readStory(letters: Letters, config: PipelineConfig, id: LetterId): Promise<Story[]> {
  const record = `${id.topic}/${id.partition}/${id.offset}`;
  const states = new Map<string, { letter: DeadLetter; history: LetterSummary[] }>();
  const values = new Map<string, Buffer>();
  await readLetters(letters, {
    wanted: (key) => key === record || key.startsWith(`${record}/`),
    onLetter: (letter, at) => {
      if (letter.value !== null) values.set(`${letter.stage} ${originOf(letter)}`, letter.value);
      const summary = summaryOf(letter, at);
      if (!isMeant(id, summary)) return;
      const key = `${summary.stage} ${summary.id}`;
      const history = states.get(key)?.history ?? [];
      if (isRepeat(summary, history.at(-1))) return;
      states.set(key, { letter, history: [...history, summary] });
    },
  });
  const stories: Story[] = [];
  for (const { letter, history } of states.values()) {
    const newest = history.at(-1);
    if (!newest) continue;
    const value = values.get(newest.record) ?? null;
    stories.push({
      letter: newest,
      recordedAt: letter.recorded_at,
      item: shown(letter.item),
      key: shown(letter.key),
      value: await decoded(letters, config, letter.origin_topic, value),
      headers: Object.fromEntries(
        Object.entries(letter.headers).map(([name, bytes]) => [name, shown(bytes)]),
      ) as Story['headers'],
      history,
    });
  }
  return stories;
}

function shown(bytes: Buffer | null): Shown | null {
  if (bytes === null) return null;
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes)
    ? { bytes: bytes.length, encoding: 'utf8', content: text }
    : { bytes: bytes.length, encoding: 'base64', content: bytes.toString('base64') };
}

/** Values of most topics are Avro; one that cannot be decoded is shown as it is. */
async function decoded(
  { codec }: Letters,
  config: PipelineConfig,
  topic: string,
  value: Buffer | null,
): Promise<Shown | null> {
  const schema = topicCatalogue(config.topics).find(({ name }) => name === topic)?.schema;
  if (!schema || value === null) return shown(value);
  const decoder = codec.decoder<unknown>(schema);
  await decoder.load([value]);
  try {
    return { bytes: value.length, encoding: 'avro', content: decoder.decode(value) };
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    return shown(value);
  }
}
