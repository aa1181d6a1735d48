import { type KafkaSettings, type OutputRecord, readTopic, TransactionalWriter } from '@email-events/core';
import {
  type Alert,
  type Codec,
  type Decoder,
  type Encoder,
  type MailWindow,
  type MailWindowState,
  topics,
} from '@email-events/schemas';
import { AlertBook } from './alert-book.ts';
import { SERVICE } from './config.ts';
import { MailWindows } from './windows.ts';

/** Key of the position among the windows, whose own keys are lists. */
const POSITION = 'position';
/** Batches that are remembered: an instance that was frozen with one in hand must not count it again. */
const BATCHES = 200;
/** All partitions of the two topics: there is one of each. */
const PARTITION = 0;

/** What one transaction adds. */
export interface Change {
  /** The batch that is in the windows by it. */
  readonly batchId?: string;
  readonly judgedAt?: number;
  /** By key. */
  readonly told?: ReadonlyMap<string, Alert>;
}

export interface AlertCodecs {
  readonly alert: { readonly encoder: Encoder<Alert>; readonly decoder: Decoder<Alert> };
  readonly window: { readonly encoder: Encoder<MailWindowState>; readonly decoder: Decoder<MailWindowState> };
}

export async function alertCodecs(codec: Codec): Promise<AlertCodecs> {
  return {
    alert: { encoder: await codec.encoder(topics.alerts, 'alert'), decoder: codec.decoder('alert') },
    window: {
      encoder: await codec.encoder(topics.mailWindows, 'mailWindow'),
      decoder: codec.decoder('mailWindow'),
    },
  };
}

/** What windows and alerts are kept by: one writer at a time, and what those before it wrote. */
export interface AlertLog {
  /** Fences every earlier writer; what those committed can be read from then on, and nothing more follows. */
  open(): Promise<{
    /** All or nothing. Throws KAFKA_FENCED if another was opened since. */
    write(outputs: readonly OutputRecord[]): Promise<void>;
    close(): Promise<void>;
  }>;
  /** Every record of the topics, each topic's in order. */
  read(onRecord: (record: StateRecord) => void | Promise<void>): Promise<void>;
}

export interface StateRecord {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export const kafkaAlertLog = (settings: KafkaSettings): AlertLog => ({
  open: () => TransactionalWriter.open(settings, SERVICE),
  read: (onRecord) =>
    readTopic(settings, { topics: [topics.mailWindows, topics.alerts], from: 'beginning', onRecord }),
});

/**
 * The windows and alerts of one owner, from when it fenced the one before until it is fenced itself or something fails: then it is thrown
 * away, and what is true is what its topics say.
 */
export class AlertState {
  readonly windows = new MailWindows();
  readonly book = new AlertBook();
  judgedAt = 0;
  private readonly codecs: AlertCodecs;
  private readonly writer: Awaited<ReturnType<AlertLog['open']>>;
  private batches: string[] = [];

  private constructor(codecs: AlertCodecs, writer: Awaited<ReturnType<AlertLog['open']>>) {
    this.codecs = codecs;
    this.writer = writer;
  }

  /** Throws what Kafka and the registry say: it is tried again. */
  static async open(log: AlertLog, codecs: AlertCodecs): Promise<AlertState> {
    const state = new AlertState(codecs, await log.open());
    try {
      await log.read((record) => state.restore(record));
    } catch (error) {
      await state.close();
      throw error;
    }
    return state;
  }

  has(batchId: string): boolean {
    return this.batches.includes(batchId);
  }

  /** What the windows have counted since, and the change, in one transaction. Whether it holds is unknown if it throws. */
  async write({ batchId, judgedAt = this.judgedAt, told = new Map() }: Change): Promise<void> {
    const batches = batchId === undefined ? this.batches : [...this.batches, batchId].slice(-BATCHES);
    const windows = [...this.windows.takeChanged()].map(([key, window]) => this.windowRecord(key, window));
    const position = { window: null, position: { batches, judged_at: judgedAt } };
    const { encoder } = this.codecs.alert;
    await this.writer.write([
      ...windows,
      record(topics.mailWindows, POSITION, this.codecs.window.encoder.encode(position)),
      ...[...told].map(([key, alert]) => record(topics.alerts, key, encoder.encode(alert))),
    ]);
    this.batches = batches;
    this.judgedAt = judgedAt;
  }

  close(): Promise<void> {
    return this.writer.close();
  }

  private windowRecord(key: string, window: MailWindow | null): OutputRecord {
    const value = window && this.codecs.window.encoder.encode({ window, position: null });
    return record(topics.mailWindows, key, value);
  }

  private async restore({ topic, key, value }: StateRecord): Promise<void> {
    const name = key?.toString() ?? '';
    if (topic === topics.alerts) {
      this.book.restore(name, value && (await read(this.codecs.alert.decoder, value)));
      return;
    }
    const state = value && (await read(this.codecs.window.decoder, value));
    if (name !== POSITION) this.windows.restore(name, state?.window ?? null);
    else if (state?.position) {
      this.batches = state.position.batches;
      this.judgedAt = state.position.judged_at;
    }
  }
}

async function read<T>(decoder: Decoder<T>, value: Buffer): Promise<T> {
  await decoder.load([value]);
  return decoder.decode(value);
}

const record = (topic: string, key: string, value: Buffer | null): OutputRecord => ({
  ...{ topic, partition: PARTITION, key, value },
});
