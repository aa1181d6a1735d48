import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EVENT_TYPES, topics } from '@email-events/schemas';
import type { ClickHouse } from '@email-events/sink-clickhouse';
import { stopped } from '../ingress-process.ts';
import { HeldInput } from '../processors/held-input.ts';
import { createPeerTopics, peerTables } from './peer-places.ts';
import { columnsOf, type SinkSide, tablesOf } from './side.ts';
import type { SinkStack } from './stack.ts';

const DATABASE = 'bench_bento';
const PREFIX = 'bench.bento.';

/**
 * Bento hands the records' bytes on as they are, a batch of them as one body, and ClickHouse reads the Avro by the same registry. It reads what is
 * not committed too, so its topics cannot be held back: it is started when it is its turn, and stopped afterwards.
 */
export async function startBentoSink(stack: SinkStack, program: string): Promise<SinkSide> {
  const { config, dir } = stack;
  const clickhouse = await peerTables(stack, DATABASE);
  await createPeerTopics(stack, PREFIX);
  const file = join(dir, 'bento-sink.json');
  await writeFile(file, JSON.stringify(configOf(stack, await insertOf(clickhouse))));
  let child: ReturnType<typeof spawn> | undefined;
  const end = async () => {
    if (child) await stopped(child);
  };
  return {
    name: 'bento',
    ...tablesOf(clickhouse),
    hold: async (events) => {
      const input = await HeldInput.begin(config.kafka, 'bench.bento');
      for (const { record } of events) await input.add({ ...record, topic: PREFIX + record.topic });
      await input.flush();
      await input.release();
    },
    begin: async () => {
      child = spawn(program, ['-c', file], { stdio: ['ignore', 'inherit', 'inherit'] });
      if (child.pid === undefined) throw new Error('Bento does not start');
      return { pid: child.pid, cpuSeconds: 0 };
    },
    rest: end,
    stop: async () => {
      await end();
      await clickhouse.close();
    },
  };
}

/** A query of Bento's language: the last word of the topic, which a batch has one of. */
const LAST_WORD = 'metadata("kafka_topic").split(".").index(-1)';
const TYPE = `\${! ${LAST_WORD} }`;
const PLACE_OF_TYPE = 'TYPE_OF_TOPIC';

/** The type of an event is not in its bytes but in its topic. */
async function insertOf(clickhouse: ClickHouse): Promise<string> {
  const sent = (await columnsOf(clickhouse)).filter(
    ({ name }) => !['type', 'recipient_key', 'inserted_at'].includes(name),
  );
  const names = sent.map(({ name }) => name).join(', ');
  const structure = sent.map(({ name, type }) => `${name} ${type}`).join(', ');
  return `INSERT INTO email_events (type, ${names}) SELECT '${PLACE_OF_TYPE}', ${names}
    FROM input('${structure.replaceAll("'", "\\'")}') FORMAT AvroConfluent`;
}

function configOf({ config }: SinkStack, query: string): object {
  const { batchRows, concurrency, url } = config.sinks.clickhouse;
  const insert = new URL(url);
  insert.search = String(
    new URLSearchParams({
      database: DATABASE,
      query,
      format_avro_schema_registry_url: config.registry.url,
      // What a type of event does not have, is empty.
      input_format_avro_allow_missing_fields: '1',
      input_format_avro_null_as_default: '1',
    }),
  );
  return {
    http: { enabled: false },
    logger: { level: 'ERROR' },
    input: {
      kafka_franz: {
        seed_brokers: config.kafka.brokers,
        topics: EVENT_TYPES.map((type) => PREFIX + topics.events(type)),
        consumer_group: 'bench-bento-sink',
        start_from_oldest: true,
        // More than a batch of a partition: less would never fill one.
        checkpoint_limit: 4 * batchRows,
        commit_period: '1s',
        fetch_max_wait: '100ms',
        batching: {
          count: batchRows,
          period: '1s',
          processors: [{ archive: { format: 'concatenate' } }],
        },
      },
    },
    output: {
      http_client: {
        url: insert.href.replace(PLACE_OF_TYPE, TYPE),
        verb: 'POST',
        timeout: '60s',
        max_in_flight: concurrency,
        retries: 3,
      },
    },
  };
}
