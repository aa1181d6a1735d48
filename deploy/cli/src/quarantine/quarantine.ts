import {
  type CommonConfig,
  inputRecordOfRead,
  type OutputRecord,
  readTopic,
  TransactionalWriter,
} from '@email-events/core';
import {
  heldIn,
  type Place,
  type Quarantined,
  releasedHeaders,
  releasedIn,
  type SecondLook,
} from '@email-events/ingress/quarantine';
import { topics } from '@email-events/schemas';

export interface QuarantineFilter {
  /** Absent: of all. */
  readonly sources?: readonly string[] | undefined;
}

/** Requests of one source that were refused for one reason. */
export interface QuarantineGroup {
  readonly source: string;
  readonly code: string;
  readonly held: number;
  readonly released: number;
  /** Of the bodies that are held. */
  readonly bytes: number;
  /** Of those that are held. Epoch milliseconds; null: none is. */
  readonly oldestAt: number | null;
  readonly newestAt: number | null;
}

/** What became of the requests that were looked at again. */
export interface ReleaseReport {
  readonly released: number;
  /** Still not genuine, by the code that says why. */
  readonly refused: { readonly [code: string]: number };
  /** Too old: an event of it that came in another way may be forgotten by now. */
  readonly expired: number;
  readonly bySource: { readonly [source: string]: number };
}

type Settings = Pick<CommonConfig, 'kafka' | 'topics'>;

const TRANSACTION_RECORDS = 200;
const TRANSACTION_BYTES = 1_000_000;
const DAY_MS = 86_400_000;
/** A release, and what it takes to come out of it, must be over before the window is. */
const SPARE_MS = 3_600_000;

/** All that the topic has, by source and code. */
export async function readQuarantine(
  settings: Settings,
  filter: QuarantineFilter = {},
): Promise<QuarantineGroup[]> {
  const released = await readReleased(settings);
  const groups = new Map<string, QuarantineGroup>();
  await readHeld(settings, filter, ({ source, code, request }, place) => {
    const key = `${source} ${code}`;
    const before = groups.get(key) ?? {
      ...{ source, code, held: 0, released: 0, bytes: 0, oldestAt: null, newestAt: null },
    };
    groups.set(
      key,
      released.has(keyOf(place)) ? { ...before, released: before.released + 1 } : plus(before, request),
    );
  });
  return [...groups.values()].sort((a, b) => (`${a.source} ${a.code}` < `${b.source} ${b.code}` ? -1 : 1));
}

function plus(group: QuarantineGroup, { body, receivedAt }: Quarantined['request']): QuarantineGroup {
  return {
    ...group,
    held: group.held + 1,
    bytes: group.bytes + body.length,
    oldestAt: Math.min(group.oldestAt ?? receivedAt, receivedAt),
    newestAt: Math.max(group.newestAt ?? receivedAt, receivedAt),
  };
}

export interface ReleaseOptions extends QuarantineFilter {
  readonly look: Pick<SecondLook, 'at'>;
  readonly dryRun: boolean;
  /** Epoch milliseconds. */
  readonly now: number;
  /** Requests of a transaction at most. */
  readonly perTransaction?: number;
  onProgress?(looked: number): void;
}

/**
 * Looks at all that is held once more, and puts what is genuine by now on email.raw. Each request and the word that it was released are one
 * transaction, and another run that goes on is fenced before anything is read: so it is released once, whatever is killed. Throws
 * KAFKA_FENCED where another run has begun since.
 */
export async function releaseQuarantine(settings: Settings, options: ReleaseOptions): Promise<ReleaseReport> {
  const writer = options.dryRun ? undefined : await TransactionalWriter.open(settings.kafka, 'quarantine');
  try {
    const released = await readReleased(settings);
    const run = new Release(settings, options, writer);
    await readHeld(settings, options, async (request, place) => {
      if (!released.has(keyOf(place))) await run.look(request, place);
    });
    return await run.end();
  } finally {
    await writer?.close();
  }
}

class Release {
  private readonly options: ReleaseOptions;
  private readonly writer: TransactionalWriter | undefined;
  private readonly oldestAt: number;
  private readonly refused: { [code: string]: number } = {};
  private readonly bySource: { [source: string]: number } = {};
  private outputs: OutputRecord[] = [];
  private bytes = 0;
  private released = 0;
  private expired = 0;
  private looked = 0;

  constructor({ topics: of }: Settings, options: ReleaseOptions, writer: TransactionalWriter | undefined) {
    this.options = options;
    this.writer = writer;
    this.oldestAt = options.now - of.retention.seenDays * DAY_MS + SPARE_MS;
  }

  async look(request: Quarantined, place: Place): Promise<void> {
    this.options.onProgress?.(++this.looked);
    if (request.request.receivedAt < this.oldestAt) {
      this.expired++;
      return;
    }
    const verdict = await this.options.look.at(request);
    if ('code' in verdict) {
      this.refused[verdict.code] = (this.refused[verdict.code] ?? 0) + 1;
      return;
    }
    this.released++;
    this.bySource[request.source] = (this.bySource[request.source] ?? 0) + 1;
    this.outputs.push(verdict.record, releasedAt(place));
    this.bytes += request.request.body.length;
    const { perTransaction = TRANSACTION_RECORDS } = this.options;
    if (this.outputs.length >= 2 * perTransaction || this.bytes >= TRANSACTION_BYTES) await this.write();
  }

  async end(): Promise<ReleaseReport> {
    await this.write();
    const { released, refused, expired, bySource } = this;
    return { released, refused, expired, bySource };
  }

  private async write(): Promise<void> {
    const { outputs } = this;
    this.outputs = [];
    this.bytes = 0;
    if (outputs.length > 0) await this.writer?.write(outputs);
  }
}

const releasedAt = (place: Place): OutputRecord => ({
  ...{ topic: topics.quarantine, partition: place.partition, key: null, value: null },
  headers: releasedHeaders(place),
});

const keyOf = ({ partition, offset }: Place) => `${partition}/${offset}`;

async function readReleased({ kafka }: Settings): Promise<ReadonlySet<string>> {
  const released = new Set<string>();
  await readTopic(kafka, {
    ...{ topics: [topics.quarantine], from: 'beginning' },
    onRecord: (record) => {
      const place = releasedIn(record);
      if (place) released.add(keyOf(place));
    },
  });
  return released;
}

function readHeld(
  { kafka }: Settings,
  { sources }: QuarantineFilter,
  onHeld: (request: Quarantined, place: Place) => void | Promise<void>,
): Promise<void> {
  return readTopic(kafka, {
    ...{ topics: [topics.quarantine], from: 'beginning' },
    onRecord: (read) => {
      const record = inputRecordOfRead(read);
      const held = heldIn(record);
      if (!held || (sources && !sources.includes(held.source))) return undefined;
      return onHeld(held, { partition: record.partition, offset: record.offset });
    },
  });
}
