import { PipelineError, type ReadRecord, readTopic } from '@email-events/core';
import { Codec, type Decoder, topicCatalogue } from '@email-events/schemas';
import { type Action, loadPipelineConfig } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { note, print, printJsonLine } from '../output.ts';
import { registrySettings } from './schemas-action.ts';
import { type DecodedRecord, decodeRecord, matches, parseFilters, renderRecord } from './tail-record.ts';

export interface TailOptions {
  readonly fromBeginning: boolean;
  readonly max?: number;
  readonly filter?: readonly string[];
}

export const tailAction: Action<TailOptions> = async (options, patterns) => {
  const config = await loadPipelineConfig(options);
  const filters = parseFilters(options.filter ?? []);
  const specs = topicsFor(patterns, topicCatalogue(config.topics));
  const codec = new Codec(registrySettings(config));
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
