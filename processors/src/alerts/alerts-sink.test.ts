import {
  createMetrics,
  type OutputRecord,
  PipelineError,
  type Registry,
  type SinkRecord,
  silentLog,
} from '@email-events/core';
import { type Alert, type EmailEvent, topics } from '@email-events/schemas';
import { describe, expect, test } from 'vitest';
import { decodeAll, decoderOf, encoderOf } from '../testing/codecs.ts';
import { AlertsSink, momentsOf } from './alerts-sink.ts';
import { AT, MINUTE, reported, settingsOf } from './mail.fixture.ts';
import { measureAlerts } from './measures.ts';
import type { AlertCodecs, AlertLog, StateRecord } from './state.ts';

const codecs: AlertCodecs = {
  alert: { encoder: encoderOf('alert'), decoder: decoderOf('alert') },
  window: { encoder: encoderOf('mailWindow'), decoder: decoderOf('mailWindow') },
};

/** The two topics, with a writer that the next one fences. `lose`: what becomes of the next transaction. */
class Topics implements AlertLog {
  readonly records: OutputRecord[] = [];
  lose: 'nothing' | 'all' | 'answer' = 'nothing';
  private epoch = 0;

  async open() {
    const own = ++this.epoch;
    return {
      write: async (outputs: readonly OutputRecord[]) => {
        if (own !== this.epoch) throw new PipelineError('KAFKA_FENCED', 'retry', 'another was opened');
        const { lose } = this;
        this.lose = 'nothing';
        if (lose !== 'all') this.records.push(...outputs);
        if (lose !== 'nothing') throw new PipelineError('KAFKA_UNREACHABLE', 'retry', 'no answer');
      },
      close: async () => {},
    };
  }

  async read(onRecord: (record: StateRecord) => void | Promise<void>): Promise<void> {
    for (const { topic, key, value } of this.records)
      await onRecord({ topic, key: Buffer.from(String(key)), value });
  }

  async told(): Promise<string[]> {
    const values = this.records.filter(({ topic }) => topic === topics.alerts).map(({ value }) => value);
    const alerts = await decodeAll<Alert>('alert', values);
    return alerts.map(({ status, rule, level, stream }) => [status, rule, level, stream].join(' '));
  }
}

class Clock {
  now = AT;
  isCurrent = true;
}

async function instance(
  log: Topics,
  clock = new Clock(),
  logger = silentLog,
  metrics = createMetrics('alerts'),
): Promise<AlertsSink> {
  const sink = new AlertsSink({
    ...{ settings: settingsOf({ minVolume: 10 }), codecs, log, logger },
    measures: measureAlerts(metrics),
    now: () => clock.now,
    isCurrent: () => clock.isCurrent,
    pauses: { fencedMs: 0 },
  });
  await sink.owns(1);
  return sink;
}

const record = (type: string, of: Partial<SinkRecord<EmailEvent>> = {}): SinkRecord<EmailEvent> => ({
  ...{ topic: `email.events.${type}`, key: null, timestamp: AT, attempts: 0 },
  value: reported(type) as unknown as EmailEvent,
  ...of,
});
const batch = (
  id: string,
  ...counts: [type: string, count: number, of?: Partial<SinkRecord<EmailEvent>>][]
) => ({
  id,
  records: counts.flatMap(([type, count, of]) => Array.from({ length: count }, () => record(type, of))),
});
const write = (
  sink: AlertsSink,
  id: string,
  ...counts: Parameters<typeof batch> extends [string, ...infer C] ? C : never
) => sink.write(batch(id, ...counts), new AbortController().signal);

const BAD = ['firing bounce_rate critical '];
const OVER = [...BAD, 'resolved bounce_rate critical '];

describe('each report counts once', () => {
  test('when the same batch comes again: here, at another instance, and after an answer was lost', async () => {
    const log = new Topics();
    const first = await instance(log);
    // 8 of 88: twice would be 16 of 96.
    await write(first, 'a', ['delivered', 80]);
    for (const lose of ['all', 'answer'] as const) {
      log.lose = lose;
      await expect(write(first, 'b', ['bounced', 8])).rejects.toThrow('no answer');
    }
    await write(first, 'b', ['bounced', 8]);
    const second = await instance(log);
    await write(second, 'b', ['bounced', 8]);
    await second.judge();
    expect(await log.told()).toEqual(['firing bounce_rate warning ']);
  });

  test('what was put back counts never', async () => {
    const log = new Topics();
    const sink = await instance(log);
    await write(sink, 'a', ['delivered', 80], ['bounced', 70, { isPutBack: true }]);
    await sink.judge();
    expect(await log.told()).toEqual([]);
  });
});

describe('each alert is told once', () => {
  test('with two instances, of which the one that was replaced does not know', async () => {
    const log = new Topics();
    const clock = new Clock();
    const first = await instance(log, clock);
    await write(first, 'a', ['delivered', 80], ['bounced', 20]);
    const second = await instance(log, clock);
    await first.judge();
    await second.judge();
    await first.judge();
    await second.judge();
    expect(await log.told()).toEqual(BAD);
  });

  test('when its answer was lost, and after a restart; and is over once, after a restart too', async () => {
    const log = new Topics();
    const clock = new Clock();
    const first = await instance(log, clock);
    await write(first, 'a', ['delivered', 80], ['bounced', 20]);
    log.lose = 'answer';
    await first.judge();
    await first.judge();
    expect(await log.told()).toEqual(BAD);
    await first.close();
    const second = await instance(log, clock);
    await second.judge();
    expect(await log.told()).toEqual(BAD);
    for (const minutes of [70, 80, 90, 100]) {
      clock.now = AT + minutes * MINUTE;
      await second.judge();
    }
    await second.close();
    await (await instance(log, clock)).judge();
    expect(await log.told()).toEqual(OVER);
  });
});

test('the log has a line for each, which says its own level and nothing of a stream', async () => {
  const lines: [string, object][] = [];
  const to = (level: string) => (fields: object) => void lines.push([level, fields]);
  const logger = Object.assign(Object.create(silentLog), { warn: to('warn'), info: to('info') });
  const sink = await instance(new Topics(), new Clock(), logger);
  await write(sink, 'a', ['delivered', 80], ['bounced', 20]);
  await sink.judge();
  expect(lines).toMatchObject([
    ['warn', { rule: 'bounce_rate', severity: 'critical', source: 'main', of: 100 }],
  ]);
  expect(Object.keys(lines[0]?.[1] ?? {})).not.toContain('level');
  expect(JSON.stringify(lines)).not.toContain('news');
});

test('one that does not own the mail counts nothing and judges nothing', async () => {
  const log = new Topics();
  const sink = await instance(log);
  await write(sink, 'a', ['delivered', 80], ['bounced', 20]);
  await sink.owns(undefined);
  expect(await write(sink, 'b', ['bounced', 1])).toMatchObject([
    { outcome: 'retry', code: 'ALERTS_NOT_OPEN' },
  ]);
  await sink.judge();
  expect(await log.told()).toEqual([]);
});

describe('what is measured is told by the instance that judges', () => {
  const measured = async (metrics: Registry) =>
    (await metrics.metrics()).match(/^email_events_alerts_(firing|judged_seconds|windows)\{.*/gm) ?? [];
  const FIRING = expect.stringMatching(/^email_events_alerts_firing\{.*rule="bounce_rate".*\} 1$/);

  async function judged() {
    const log = new Topics();
    const [own, others] = [createMetrics('alerts'), createMetrics('alerts')];
    const first = await instance(log, new Clock(), silentLog, own);
    await write(first, 'a', ['delivered', 80], ['bounced', 20]);
    await first.judge();
    expect(await measured(own)).toEqual([FIRING, expect.any(String), expect.any(String)]);
    /** Another has the mail now, which this one does not know before it is told. */
    const replace = async () => {
      const second = await instance(log, new Clock(), silentLog, others);
      await second.judge();
      expect(await measured(others)).toEqual([FIRING, expect.any(String), expect.any(String)]);
    };
    return { first, own, replace };
  }

  test('not by one that has lost its share', async () => {
    const { first, own, replace } = await judged();
    await first.owns(undefined);
    await replace();
    await first.owns(0);
    expect(await measured(own)).toEqual([]);
  });

  test('not by one that was told for long that partitions move', async () => {
    const { first, own, replace } = await judged();
    await first.owns(undefined);
    await replace();
    await first.judge();
    expect(await measured(own)).toEqual([]);
  });

  test('not by one that was fenced, or has ended', async () => {
    const { first, own, replace } = await judged();
    await replace();
    await expect(write(first, 'b', ['delivered', 1])).rejects.toMatchObject({ code: 'KAFKA_FENCED' });
    expect(await measured(own)).toEqual([]);
    const { first: ended, own: its } = await judged();
    await ended.close();
    expect(await measured(its)).toEqual([]);
  });

  test('by one that has it again', async () => {
    const { first, own } = await judged();
    await first.owns(undefined);
    await first.owns(1);
    expect(await measured(own)).toContainEqual(FIRING);
    await first.owns(0);
    await first.owns(1);
    expect(await measured(own)).toEqual([]);
    await first.judge();
    expect(await measured(own)).toContainEqual(FIRING);
  });
});

test('while it is behind nothing fires, and what was passed meanwhile is told afterwards', async () => {
  const log = new Topics();
  const clock = new Clock();
  const sink = await instance(log, clock);
  await sink.judge();
  await write(sink, 'a', ['delivered', 80], ['bounced', 20]);
  clock.isCurrent = false;
  clock.now = AT + 100 * MINUTE;
  await sink.judge();
  expect(await log.told()).toEqual([]);
  await expect(sink.check()).rejects.toMatchObject({ code: 'ALERTS_BEHIND' });
  clock.isCurrent = true;
  await write(sink, 'b', ['opened', 1]);
  await sink.judge();
  expect(await log.told()).toEqual(OVER);
  await sink.check();
});

test('moments are judged in steps of five minutes, two hours back at most', () => {
  expect(momentsOf(0, AT)).toEqual([AT]);
  expect(momentsOf(AT - 15_000, AT)).toEqual([AT]);
  expect(momentsOf(AT - 12 * MINUTE, AT)).toEqual([AT - 7 * MINUTE, AT - 2 * MINUTE, AT]);
  expect(momentsOf(AT - 1_000_000 * MINUTE, AT)).toHaveLength(24);
});
