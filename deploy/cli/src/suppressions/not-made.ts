import { type InputRecord, inputRecordOfRead, REPLAY_HEADER, readTopic } from '@email-events/core';
import { normalizeRecord, normalizeSettings } from '@email-events/processors';
import { type EmailEvent, type Suppression, topics } from '@email-events/schemas';
import type { PipelineConfig } from '../services.ts';
import { type EvidenceRow, gives, labelOf } from './evidence.ts';

type Reason = Suppression['reasons'][number];

/** An active reason of a recipient. */
export interface ActiveReason {
  readonly recipient: string;
  readonly reason: Reason;
}

/** A suppression that today's mapping would not make. */
export interface NotMade extends ActiveReason {
  /** How its event was read when it came, and how its item is read today. */
  readonly before: string;
  readonly today: string;
}

export interface Judgement {
  readonly notMade: readonly NotMade[];
  /** Reasons that some event still gives. */
  readonly stillMade: number;
  /** Reasons that cannot be judged: the event or its request is not there any more, or the reason is not one event’s. */
  readonly unknown: number;
}

/** Reasons that one event gives by itself: of a run of soft bounces, or an operator's word, no mapping decides. */
export const isJudged = ({ reason, scope }: Reason): boolean =>
  reason === 'hard_bounce' ||
  reason === 'complaint' ||
  (reason === 'unsubscribe' && scope !== '*' && !scope.startsWith('account:'));

/** Places of the items to read again to judge the reasons: every item that may give one of them. */
export function placesToRead(
  reasons: readonly ActiveReason[],
  evidence: ReadonlyMap<string, readonly EvidenceRow[]>,
): ItemPlace[] {
  return reasons.flatMap(({ recipient, reason }) =>
    isJudged(reason) ? (evidence.get(recipient) ?? []).filter((row) => gives(row, reason)) : [],
  );
}

/**
 * Pure. A reason is not made any more if each event that gave it is there, can be read again, and is read as something else. In
 * doubt a recipient stays suppressed.
 */
export function judge(
  reasons: readonly ActiveReason[],
  evidence: ReadonlyMap<string, readonly EvidenceRow[]>,
  readings: ReadonlyMap<string, readonly EmailEvent[]>,
  keyOf: (event: EmailEvent) => string,
): Judgement {
  const notMade: NotMade[] = [];
  let [stillMade, unknown] = [0, 0];
  for (const { recipient, reason } of reasons) {
    const rows = (evidence.get(recipient) ?? []).filter((row) => gives(row, reason));
    const named = rows.find(({ event_id }) => event_id === reason.event_id);
    const readAgain = (row: EvidenceRow) =>
      readings.get(placeOf(row))?.filter((event) => keyOf(event) === recipient);
    const again = rows.map(readAgain);
    if (again.some((events) => events?.some((event) => gives(event, reason)))) stillMade++;
    else if (!isJudged(reason) || !named || again.includes(undefined)) unknown++;
    else {
      const own = readAgain(named) ?? [];
      const today = own.length === 0 ? 'nothing' : own.map(labelOf).join('; ');
      notMade.push({ recipient, reason, before: labelOf(named), today });
    }
  }
  return { notMade, stillMade, unknown };
}

/** Where an item is: a record of email.raw, and its place in it. */
export interface ItemPlace {
  readonly raw_partition: number;
  readonly raw_offset: number;
  readonly item_index: number;
}

export const placeOf = ({ raw_partition, raw_offset, item_index }: ItemPlace): string =>
  `${raw_partition}/${raw_offset}/${item_index}`;

export interface ReadingsOptions {
  readonly config: PipelineConfig;
  readonly places: readonly ItemPlace[];
  readonly signal: AbortSignal;
  readonly onProgress: (items: number) => void;
}

/**
 * Reads items again with today's mapping, and returns their events by place; an item that says nothing has no events. Nothing for one whose record is not
 * there any more, or that cannot be read: what it says is not known.
 */
export async function readAgain(options: ReadingsOptions): Promise<Map<string, EmailEvent[]>> {
  const { config, places, signal, onProgress } = options;
  const byRecord = Map.groupBy(places, ({ raw_partition, raw_offset }) => `${raw_partition}/${raw_offset}`);
  const readings = new Map<string, EmailEvent[]>();
  const done = new AbortController();
  const settings = normalizeSettings(config);
  const last = lastOffsets(places);
  await readTopic(config.kafka, {
    topics: [topics.raw],
    from: { positions: firstPositions(places) },
    signal: AbortSignal.any([signal, done.signal]),
    onRecord: async (record) => {
      const wanted = byRecord.get(`${record.partition}/${record.offset}`);
      if (wanted) {
        const read = await eventsByItem(settings, inputRecordOfRead(record));
        for (const place of wanted) {
          const events = read(place.item_index);
          if (events) readings.set(placeOf(place), events);
        }
        onProgress(readings.size);
      }
      if (record.offset >= (last.get(record.partition) ?? 0n)) last.delete(record.partition);
      if (last.size === 0) done.abort();
    },
  });
  return readings;
}

type EventsOfItem = (index: number) => EmailEvent[] | undefined;

async function eventsByItem(
  settings: ReturnType<typeof normalizeSettings>,
  { headers, ...record }: InputRecord,
): Promise<EventsOfItem> {
  // A request that was put back for some of its events holds all of its items.
  const { [REPLAY_HEADER]: _, ...own } = headers;
  const read = await normalizeRecord({ ...record, headers: own }, settings).catch(() => undefined);
  // A failure of the request, or one that stands for several items, leaves all of them open.
  const isOpen = !read || read.failures.some(({ item }) => item === undefined);
  const failed = new Set(read?.failures.map(({ item }) => item?.index));
  return (index) =>
    isOpen || failed.has(index) ? undefined : read.events.filter(({ item_index }) => item_index === index);
}

function firstPositions(places: readonly ItemPlace[]) {
  const first = new Map<number, number>();
  for (const { raw_partition, raw_offset } of places)
    first.set(raw_partition, Math.min(raw_offset, first.get(raw_partition) ?? raw_offset));
  return [...first].map(([partition, offset]) => ({ topic: topics.raw, partition, offset: BigInt(offset) }));
}

function lastOffsets(places: readonly ItemPlace[]): Map<number, bigint> {
  const last = new Map<number, bigint>();
  for (const { raw_partition, raw_offset } of places) {
    const offset = BigInt(raw_offset);
    if (offset > (last.get(raw_partition) ?? -1n)) last.set(raw_partition, offset);
  }
  return last;
}
