import { decodeRawHeaders, PipelineError, type ReadRecord, readTopic, registryOf } from '@email-events/core';
import { Codec, type Decoder, eventTypeOf, topicCatalogue, topics } from '@email-events/schemas';
import { Command } from 'commander';
import pc from 'picocolors';
import { type Action, loadPipelineConfig, onRun } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { collect, fromOne } from '../option-values.ts';
import { note, print, printJsonLine } from '../output.ts';
import { jsonText, visible } from '../terminal.ts';

export function tailCommand(): Command {
  const command = new Command('tail')
    .description('Show the records of topics, decoded, as they arrive. Ctrl-C ends it; it leaves no trace.')
    .argument('<topic...>', 'topics; a * stands for any text (quote it)')
    .option('--from-beginning', 'begin with the oldest record', false)
    .option('--max <n>', 'stop after that many records', fromOne)
    .option(
      '--filter <field=value>',
      'only records whose field (dotted path) is that; may be repeated',
      collect,
    );
  return onRun<TailOptions>(
    command,
    tailAction,
    'tail email.events.bounced',
    "tail 'email.events.*' --filter esp=sendgrid",
    'tail email.suppressions --from-beginning --max 10 --json',
  );
}

export interface TailOptions {
  readonly fromBeginning: boolean;
  readonly max?: number;
  readonly filter?: readonly string[];
}

export const tailAction: Action<TailOptions> = async (options, patterns) => {
  const config = await loadPipelineConfig(options);
  const filters = parseFilters(options.filter ?? []);
  const specs = topicsFor(patterns, topicCatalogue(config.topics));
  const codec = new Codec(registryOf(config));
  const decoders = new Map<string, Decoder<unknown>>(
    specs.flatMap(({ name, schema }) => (schema ? [[name, codec.decoder(schema)] as const] : [])),
  );
  const abort = new AbortController();
  const interrupt = () => abort.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const width = Math.max(...specs.map(({ name }) => name.length));
  let shown = 0;
  const show = (record: DecodedRecord) => {
    if (options.json) printJsonLine(record);
    else print(renderRecord(record, width));
    shown++;
    if (shown === options.max) abort.abort();
  };
  await readTopic(config.kafka, {
    topics: specs.map(({ name }) => name),
    from: options.fromBeginning ? 'beginning' : 'end',
    follow: true,
    signal: abort.signal,
    onStart: () => {
      if (!options.json) note(`reading ${specs.map(({ name }) => name).join(', ')}; Ctrl-C ends it`);
    },
    onRecord: async (record: ReadRecord) => {
      if (abort.signal.aborted) return;
      const decoded = await decodeRecord(record, decoders.get(record.topic));
      if (matches(decoded, filters)) show(decoded);
    },
  });
  return EXIT.ok;
};

function topicsFor(patterns: readonly string[], catalogue: ReturnType<typeof topicCatalogue>) {
  const wanted = patterns.map((pattern) => {
    const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
    return { pattern, regex: new RegExp(`^${parts.join('.*')}$`) };
  });
  const unknown = wanted.find(({ regex }) => !catalogue.some(({ name }) => regex.test(name)));
  if (unknown) {
    const names = catalogue.map(({ name }) => name).join(', ');
    throw new PipelineError('CLI_USAGE', 'reject', `no topic "${unknown.pattern}"; there are: ${names}`);
  }
  return catalogue.filter(({ name }) => wanted.some(({ regex }) => regex.test(name)));
}

/** A record as tail shows it. */
export interface DecodedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** When it was written, ISO 8601. */
  readonly timestamp: string;
  readonly key: string | null;
  /** Decoded value; times are ISO 8601 text, bytes base64. Null: a tombstone. */
  readonly value: unknown;
  /** Set when the value cannot be decoded, which is then base64. */
  readonly problem?: string;
}

/** Throws what the registry threw; bytes that cannot be decoded are a problem of the record. */
export async function decodeRecord(
  record: ReadRecord,
  decoder: Decoder<unknown> | undefined,
): Promise<DecodedRecord> {
  const { topic, partition, offset, key } = record;
  const place = {
    topic,
    partition,
    offset,
    timestamp: new Date(record.timestamp).toISOString(),
    key: key?.toString() ?? null,
  };
  if (record.value === null) return { ...place, value: null };
  if (!decoder) return { ...place, value: rawValue(record, record.value) };
  await decoder.load([record.value]);
  try {
    return { ...place, value: readable(decoder.decode(record.value)) };
  } catch (error) {
    return { ...place, value: record.value.toString('base64'), problem: (error as Error).message };
  }
}

/** A record of email.raw: the request, and its body as text where it is text. */
function rawValue({ topic, headers }: ReadRecord, value: Buffer): unknown {
  const request = topic === topics.raw ? decodeRawHeaders(headers) : undefined;
  const text = value.toString('utf8');
  const body = Buffer.from(text).equals(value) ? text : value.toString('base64');
  const received = request && { ...request, receivedAt: new Date(request.receivedAt).toISOString() };
  return { ...received, body };
}

/** Fields of the schemas that hold times in milliseconds. */
const TIMES: readonly string[] = [
  'occurred_at',
  'received_at',
  'changed_at',
  'since',
  'first_at',
  'last_at',
  'at',
];
const isTime = (name: string) => TIMES.includes(name) || name.endsWith('_at');

function readable(value: unknown, name = ''): unknown {
  if (typeof value === 'number' && isTime(name)) return new Date(value).toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map((item) => readable(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, readable(item, key)]));
}

export interface Filter {
  readonly path: readonly string[];
  readonly text: string;
}

/** `field=value`, the field as a dotted path into the value. Throws CLI_USAGE. */
export function parseFilters(texts: readonly string[]): Filter[] {
  return texts.map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw new PipelineError('CLI_USAGE', 'reject', '--filter takes field=value');
    return { path: text.slice(0, at).split('.'), text: text.slice(at + 1) };
  });
}

/** True if each filter's field has its value; of a list: if one of its items has. */
export function matches({ value }: DecodedRecord, filters: readonly Filter[]): boolean {
  return filters.every(({ path, text }) => {
    const found = path.reduce<unknown>(
      (at, name) =>
        typeof at === 'object' && at !== null ? (at as { [key: string]: unknown })[name] : undefined,
      value,
    );
    return (Array.isArray(found) ? found : [found]).some((item) => String(item) === text);
  });
}

/** Renders a record as exactly one line, with what an operator looks for first: time, event, recipient, and the reason if there is one. */
export function renderRecord(record: DecodedRecord, topicWidth: number): string {
  const { topic, value, timestamp, key, partition, offset, problem } = record;
  const start = `${pc.dim(timestamp.slice(11, 23))} ${pc.cyan(topic.padEnd(topicWidth))}`;
  if (problem) return `${start} ${pc.red(visible(problem))} ${pc.dim(`${partition}/${offset}`)}`;
  if (eventTypeOf(topic) === undefined) return `${start} ${visible(key ?? '')} ${shortened(jsonText(value))}`;
  const event = value as { [field: string]: unknown };
  const details = DETAILS.flatMap((name) => {
    const detail = event[name];
    if (detail === null || detail === undefined || detail === '') return [];
    return [`${pc.dim(`${name}=`)}${visible(String(detail))}`];
  });
  const whom = visible(`${String(event.esp).padEnd(10)} ${event.recipient}`);
  return `${start} ${whom} ${details.join(' ')}`;
}

/** Whole bodies and base64 are for --json. */
const shortened = (text: string) => (text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)} …` : text);
const MAX_CHARS = 500;

const DETAILS = [
  'campaign',
  'variant',
  'bounce_class',
  'bounce_category',
  'drop_reason',
  'feedback_type',
  'scope',
  'smtp_code',
  'enhanced_status',
  'diagnostic',
  'url',
  'is_machine',
  'esp_event_type',
  'esp_message_id',
] as const;
