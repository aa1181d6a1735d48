import { ENGAGEMENTS } from './config.ts';
import type { Engagement, EngagementFields, EngageResult, Instants } from './engagement.ts';
import { CrmError } from './errors.ts';
import { poll, SETTLE } from './jobs.ts';

/** A contact with what its fields hold, as the CRM shows them: undefined or null if nothing. */
export interface EngagedContact<Id> {
  readonly id: Id;
  readonly fields: { readonly [name: string]: unknown };
}

/** How to reach the fields in a CRM that has no conditional write. */
export interface EngagementAccess<Id> {
  readonly names: EngagementFields;
  /** The CRM keeps instants no finer than this. Milliseconds. */
  readonly resolutionMs?: number;
  /** Every contact that has just this address. */
  find(recipient: string, signal: AbortSignal): Promise<readonly EngagedContact<Id>[]>;
  /** Epoch milliseconds of a value that is not null; NaN: it is no instant. */
  parse(value: unknown): number;
  /** Replaces these fields of a contact that was found, by name, and makes none. */
  apply(id: Id, instants: { readonly [field: string]: number }, signal: AbortSignal): Promise<void>;
  /** Does both so that the write does not wait for its turn (`closeTogether`). */
  near?<T>(readAndWrite: () => Promise<T>, signal: AbortSignal): Promise<T>;
  /** The CRM shows a write some time after it took it: it is read back until it holds. */
  readonly showsLater?: true;
}

/** read → the fields that are behind → read back. Several contacts with the address are brought forward one after the other. */
export async function bringForward<Id>(
  access: EngagementAccess<Id>,
  { recipient, instants }: Engagement,
  signal: AbortSignal,
): Promise<EngageResult> {
  const { near = (both: () => Promise<number | undefined>) => both() } = access;
  const behind = async () => {
    const contacts = await access.find(recipient, signal);
    const patches = contacts.flatMap((contact) => patchOf(access, contact, instants) ?? []);
    return { contacts: contacts.length, patches };
  };
  const written = await near(async () => {
    const { contacts, patches } = await behind();
    if (contacts === 0) return undefined;
    for (const { id, patch } of patches) await access.apply(id, patch, signal);
    return patches.length;
  }, signal);
  if (written === undefined) return 'absent';
  if (written === 0) return 'unchanged';
  // Who is gone meanwhile lacks nothing.
  const holds = async () => ((await behind()).patches.length === 0 ? true : undefined);
  if (await (access.showsLater ? poll(holds, signal, SETTLE) : holds())) return 'written';
  throw new CrmError('unverified', 'SINK_CRM_UNVERIFIED', 'read back, the contact has older instants');
}

function patchOf<Id>(
  { names, parse, resolutionMs = 1 }: EngagementAccess<Id>,
  { id, fields }: EngagedContact<Id>,
  instants: Instants,
) {
  const patch: Record<string, number> = {};
  for (const name of ENGAGEMENTS) {
    const instant = instants[name];
    if (instant === undefined) continue;
    const [wanted, held] = [Math.floor(instant / resolutionMs) * resolutionMs, fields[names[name]]];
    if (held === undefined || held === null || held === '') patch[names[name]] = wanted;
    else if (parse(held) < wanted) patch[names[name]] = wanted;
    // What somebody else keeps in this field is not replaced.
    else if (Number.isNaN(parse(held)))
      throw new CrmError('rejected', 'SINK_CRM_REJECTED', `the field for ${name} holds no instant`);
  }
  return Object.keys(patch).length > 0 ? { id, patch } : undefined;
}

/** Of a field that holds text, as ISO 8601 has it. */
export const parseIso = (value: unknown): number =>
  typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) ? Date.parse(value) : Number.NaN;

/** By field, as ISO 8601. */
export const asIso = (instants: { readonly [field: string]: number }) =>
  Object.fromEntries(
    Object.entries(instants).map(([field, instant]) => [field, new Date(instant).toISOString()]),
  );

/** Fields that the CRM lacks, or that are of another type, are found before anything is written. */
export function requireFields(names: EngagementFields, fits: (field: string) => boolean, kind: string): void {
  const missing = ENGAGEMENTS.map((name) => names[name]).find((field) => !fits(field));
  if (missing === undefined) return;
  const message = `engagement.fields: contacts need a field ${missing}: ${kind}`;
  throw new CrmError('misconfigured', 'SINK_CRM_MISCONFIGURED', message);
}
