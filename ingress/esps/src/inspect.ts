import { type EmailEvent, type EventType, schemas } from '@email-events/schemas';
import {
  type EspAdapter,
  type EspEvent,
  type EspRequest,
  type NormalizeCode,
  Refusal,
  type RefusalCode,
  type Resources,
  type SourceReading,
  type Verifier,
} from './adapter.ts';
import { unpackedRequest } from './content-encoding.ts';
import type { TimeBounds } from './event.ts';
import { toEmailEvent } from './event.ts';
import type { FieldOrigins } from './field-paths.ts';
import { normalizeRequest } from './normalize.ts';

/** A typed event as `inspect` shows it: `type`, then the Avro fields of that type; times are ISO 8601 text. */
export type InspectedEvent = { readonly type: EventType } & { readonly [field: string]: unknown };

/** The events, dead letters and verdict that the pipeline would make of a request. */
export interface Inspection {
  readonly verified: boolean;
  readonly reason: RefusalCode | null;
  readonly handshake: boolean;
  /** Empty unless verified. */
  readonly events: readonly InspectedEvent[];
  /**
   * Where campaign, variant, stream and user of each event were found, in the order of the events; left out if none of them is from
   * anywhere but the ESP's own field.
   */
  readonly fieldsFrom?: readonly FieldOrigins[];
  /** Items that cannot be read; index 0 with NORMALIZE_BODY_UNREADABLE stands for the whole body. */
  readonly deadLetters: readonly { readonly index: number; readonly code: NormalizeCode }[];
}

export interface InspectInput {
  readonly adapter: EspAdapter;
  readonly verifier: Verifier;
  readonly request: EspRequest;
  /** Documents that verification may need (SES certificates), by URL. */
  readonly resources?: Resources | undefined;
  /** The source's other settings. */
  readonly options?: SourceReading['options'];
  readonly fields?: SourceReading['fields'];
  /** Which times are believed; default: as the configuration's defaults. */
  readonly timeBounds?: TimeBounds | undefined;
  /** Shown in the events; the request has not passed through a source. */
  readonly source?: string | undefined;
}

/** Never throws for anything in the request. */
export function inspectRequest(received: InspectInput): Inspection {
  const request = unpackedRequest(received.adapter, received.request);
  if (!request) return unverified('BODY_UNREADABLE');
  const input = { ...received, request };
  const { verifier, resources } = input;
  const verdict = verifier.verify(request, resources);
  if (verdict.outcome !== 'verified') {
    return unverified(verdict.outcome === 'refused' ? verdict.code : 'CERTIFICATE_UNUSABLE');
  }
  if (verdict.handshake) {
    return { verified: true, reason: null, handshake: true, events: [], deadLetters: [] };
  }
  return { verified: true, reason: null, handshake: false, ...read(input) };
}

function unverified(reason: RefusalCode): Inspection {
  return { verified: false, reason, handshake: false, events: [], deadLetters: [] };
}

function read({
  adapter,
  request,
  options,
  fields,
  timeBounds,
  source = 'inspect',
}: InspectInput): Pick<Inspection, 'events' | 'fieldsFrom' | 'deadLetters'> {
  const events: InspectedEvent[] = [];
  const deadLetters: { index: number; code: NormalizeCode }[] = [];
  const found = new Map<EspEvent, FieldOrigins>();
  const fieldsFrom: FieldOrigins[] = [];
  const noted: SourceReading['noted'] = (event, origins) => found.set(event, origins);
  try {
    for (const result of normalizeRequest(adapter, request, { options, fields, noted }).results) {
      if ('code' in result) {
        deadLetters.push({ index: result.index, code: result.code });
        continue;
      }
      for (const event of result.events) {
        const origin = { ...NOWHERE, esp: adapter.name, source, received_at: request.receivedAt };
        events.push(shown(toEmailEvent(event, { ...origin, item_index: result.index }, timeBounds)));
        fieldsFrom.push(found.get(event) ?? {});
      }
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    deadLetters.push({ index: 0, code: error.code });
  }
  const isTold = fieldsFrom.some((origins) => Object.values(origins).some((path) => path !== 'esp'));
  return { events, ...(isTold ? { fieldsFrom } : {}), deadLetters };
}

// A request that was only looked at has no place in email.raw.
const NOWHERE = { request_id: '', raw_partition: -1, raw_offset: -1 };

function shown(event: EmailEvent): InspectedEvent {
  const shownEvent: { type: EventType; [field: string]: unknown } = { type: event.type };
  for (const { name } of schemas[event.type].fields) shownEvent[name] = event[name as keyof EmailEvent];
  shownEvent.occurred_at = new Date(event.occurred_at).toISOString();
  shownEvent.received_at = new Date(event.received_at).toISOString();
  return shownEvent;
}
