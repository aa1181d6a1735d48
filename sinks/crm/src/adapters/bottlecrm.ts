import { z } from 'zod';
import { asIso, bringForward, type EngagementAccess, parseIso, requireFields } from '../bring-forward.ts';
import {
  apiToken,
  type ContactAccess,
  crmAddress,
  defineCrm,
  type EngagementLimits,
  forEveryReason,
  type RecipientState,
  readPatchVerify,
  type StateFacts,
} from '../crm.ts';
import type { EngagementFields } from '../engagement.ts';
import { type ErasableContacts, eraseAll } from '../erasing.ts';
import { CrmError } from '../errors.ts';
import { JsonApi, path } from '../json-api.ts';
import { allByOffset, pagesByOffset } from '../listing.ts';
import { closeTogether } from '../turns.ts';

// Seen in November 2026: django-crm 1.35.0 on PyPI (MIT), its code and its answers. It has no field for e-mail, so these are custom fields of
// contacts, which an administrator makes once.

const KEYS = {
  /** Text, or a choice with both values. */
  state: 'email_suppression',
  reasons: 'email_suppression_reasons',
  version: 'email_suppression_version',
} as const;

const [SUPPRESSED, NONE] = ['suppressed', 'none'] as const;

const suppresses: StateFacts = {
  effect: 'suppresses',
  how: `\`${KEYS.state}: ${SUPPRESSED}\`; an unknown address becomes a contact who is so`,
};

export const bottlecrm = defineCrm({
  name: 'bottlecrm',
  title: 'BottleCRM',
  documentation: ['https://django-crm.readthedocs.io/en/latest/', 'https://pypi.org/project/django-crm/'],
  settings: z.strictObject({
    url: crmAddress('http://127.0.0.1:8000', 'where BottleCRM’s API is, without /api'),
    secrets: apiToken('personal access token of an administrator, who sees every contact'),
    options: z.strictObject({
      unknown: z
        .enum(['create', 'leave'])
        .default('create')
        .describe('what comes of an address that is no contact'),
    }),
  }),
  facts: {
    states: {
      ...forEveryReason(suppresses),
      stream: { effect: 'allows', how: `\`${NONE}\`; the stream is among \`${KEYS.reasons}\`` },
      lifted: { effect: 'allows', how: `\`${NONE}\`: nobody else writes this field` },
    },
    keepsReasons: false,
    newerStays: true,
    account: 'address',
    limits: 'none; three calls a recipient',
    capabilities: {
      suppressAll: `custom field \`${KEYS.state}\``,
      suppressStream: `named in \`${KEYS.reasons}\` of who is a contact`,
      recordFailures: `\`${KEYS.reasons}\`: reason, scope, time and text, a line each`,
      createContacts: 'made as suppressed, or left',
      batch: false,
      conditionalWrite: `\`${KEYS.version}\`, read before, is not above`,
      listSuppressed: `contacts with \`${KEYS.state}\``,
      eraseContacts: 'contact deleted',
      engagement: 'three custom fields, text: ISO 8601',
    },
    erasing: {
      after: 'mailable',
      how: 'the fields go with the contact; leads, cases and mails of BottleCRM that name the address stay',
    },
    scopes: ['contacts:read', 'contacts:write', 'custom-fields:read'],
    limitations: [
      `An administrator makes three custom fields of contacts: \`${KEYS.state}\` and \`${KEYS.reasons}\`, text, and \`${KEYS.version}\`, a number. Whoever mails from BottleCRM minds the first; who opts out there is marked in another field.`,
      'Addresses that Django takes for none are refused, such as those with letters beyond ASCII before the @.',
      'A write takes no lock and saves the whole contact: what a user changes in the same milliseconds may be lost.',
      'The version is compared here and not by BottleCRM: an instance that stands still between its read and its write until another has its partition may then put an older state over a newer one, also a lift over a suppression, until the recipient’s next state or `crm reconcile`.',
    ],
  },
  connect({ url, secrets: [token], options }, limits) {
    const headers = { authorization: `Bearer ${token?.reveal()}` };
    const api = new JsonApi({ base: `${url.replace(/\/+$/, '')}/api`, headers, limits });
    const contacts: ContactAccess<Patch> = {
      ...contactsOf(api, options.unknown),
      // What was read decides whether a write is newer, and the write saves the whole contact.
      near: (readAndWrite, signal) => closeTogether(limits.pace, 2, readAndWrite, signal),
    };
    return {
      name: 'bottlecrm',
      async check(signal) {
        await api.read(page, path`/contacts/?limit=1`, signal);
        await requireOwnFields(api, signal);
      },
      put: (state, signal) => readPatchVerify(contacts, state, signal),
      ...(options.unknown === 'leave' && {
        mailed: (recipients: readonly string[], signal: AbortSignal) => mailedOf(api, recipients, signal),
      }),
      erase: (recipient, signal) => eraseAll(erasable(api, recipient), signal),
      suppressed(signal, after) {
        const read = (offset: number) => contactsAt(api, `cf_${KEYS.state}`, SUPPRESSED, offset, signal);
        return pagesByOffset(PAGE, read, ({ email }) => (email ? { recipient: email } : undefined), after);
      },
      close: () => api.close(),
    };
  },
  engagement: {
    connect({ url, secrets: [token] }, limits, names) {
      const headers = { authorization: `Bearer ${token?.reveal()}` };
      const api = new JsonApi({ base: `${url.replace(/\/+$/, '')}/api`, headers, limits });
      return {
        async check(signal) {
          await api.read(page, path`/contacts/?limit=1`, signal);
          const { definitions } = await api.read(fields, DEFINITIONS, signal);
          const fits = (name: string) => definitions.some((field) => field.key === name && isText(field));
          requireFields(names, fits, 'an active custom field, text');
        },
        engage: (engagement, signal) =>
          bringForward(engagedOf(api, names, limits, engagement.recipient), engagement, signal),
        close: () => api.close(),
      };
    },
  },
});

function engagedOf(
  api: JsonApi,
  names: EngagementFields,
  { pace, turns }: EngagementLimits,
  email: string,
): EngagementAccess<string> {
  return {
    ...{ names, parse: parseIso },
    async find(recipient, signal) {
      const found = await contactOf(api, recipient, signal);
      return found ? [{ id: found.id, fields: found.custom_fields ?? {} }] : [];
    },
    async apply(id, instants, signal) {
      const answer = await api.exchange(
        'PATCH',
        path`/contacts/${id}/`,
        { custom_fields: asIso(instants) },
        signal,
      );
      // Deleted since it was found.
      if (answer.status !== 404) api.succeeded(answer);
    },
    // A write saves the whole contact, as it read it: also a suppression that another writes at that moment.
    near: (readAndWrite, signal) => closeTogether(pace, 2, () => turns.runNow(email, readAndWrite), signal),
  };
}

const DEFINITIONS = path`/custom-fields/?target_model=Contact&active_only=true&include_counts=false`;

const fields = z.object({
  definitions: z.array(
    z.object({
      key: z.string(),
      field_type: z.string(),
      options: z.array(z.object({ value: z.string() })).nullish(),
    }),
  ),
});

type Field = z.output<typeof fields>['definitions'][number];

/** Values of a field that does not exist are dropped, and the answer is 200. */
async function requireOwnFields(api: JsonApi, signal: AbortSignal): Promise<void> {
  const { definitions } = await api.read(fields, DEFINITIONS, signal);
  const usable: readonly [string, string, (field: Field) => boolean][] = [
    [KEYS.state, `text, or a dropdown with ${SUPPRESSED} and ${NONE}`, takesStates],
    [KEYS.reasons, 'text', isText],
    [KEYS.version, 'a number', ({ field_type }) => field_type === 'number'],
  ];
  for (const [key, kind, fits] of usable) {
    if (definitions.some((field) => field.key === key && fits(field))) continue;
    const message = `contacts need an active custom field ${key}: ${kind}`;
    throw new CrmError('misconfigured', 'SINK_CRM_MISCONFIGURED', message);
  }
}

const isText = ({ field_type }: Field) => field_type === 'text' || field_type === 'textarea';

function takesStates(field: Field): boolean {
  if (field.field_type !== 'dropdown') return isText(field);
  return [SUPPRESSED, NONE].every((value) => field.options?.some((option) => option.value === value));
}

const custom = z.record(z.string(), z.unknown()).nullish();
const contact = z.object({ id: z.string(), email: z.string().nullish(), custom_fields: custom });
const page = z.object({ results: z.array(contact) });

type Contact = z.output<typeof contact>;

/** A contact is a few kilobytes, and is in an answer twice. */
const PAGE = 50;

async function contactsAt(api: JsonApi, name: string, value: string, offset: number, signal: AbortSignal) {
  const at = path`/contacts/?${name}=${value}&limit=${PAGE}&offset=${offset}`;
  return (await api.read(page, at, signal)).results;
}

/** Contacts that one look-up reads, at most: more than have a part of their address in common, and fewer than a large CRM has. */
const LOOK_UP = { size: PAGE, mostPages: 100 };

/** The filter finds parts of addresses. */
async function contactOf(api: JsonApi, email: string, signal: AbortSignal): Promise<Contact | undefined> {
  const read = (offset: number) => contactsAt(api, 'email', email, offset, signal);
  const isSame = (each: Contact) => each.email?.toLowerCase() === email;
  const found = await allByOffset(LOOK_UP, read, (contacts) => contacts.some(isSame));
  return found.find(isSame);
}

/** Whoever is a contact without the state. */
async function mailedOf(api: JsonApi, recipients: readonly string[], signal: AbortSignal): Promise<string[]> {
  const mailed: string[] = [];
  for (const recipient of recipients) {
    const found = await contactOf(api, recipient, signal);
    if (found && found.custom_fields?.[KEYS.state] !== SUPPRESSED) mailed.push(recipient);
  }
  return mailed;
}

function erasable(api: JsonApi, recipient: string): ErasableContacts {
  return {
    async find(signal) {
      const found = await contactOf(api, recipient, signal);
      return found ? [found.id] : [];
    },
    remove: (id, signal) => api.remove(path`/contacts/${id}/`, signal),
  };
}

interface Patch {
  readonly email: string;
  /** Undefined: there is no such contact. */
  readonly id: string | undefined;
  readonly custom_fields: { readonly [key: string]: string | number | null };
}

/** BottleCRM keeps the custom fields that a write leaves out. */
function contactsOf(api: JsonApi, unknown: 'create' | 'leave'): ContactAccess<Patch> {
  return {
    async difference(state, signal) {
      const { recipient: email, suppressed } = state.suppression;
      const found = await contactOf(api, email, signal);
      const wanted = fieldsOf(state);
      if (!found)
        return suppressed && unknown === 'create'
          ? { email, id: undefined, custom_fields: wanted }
          : undefined;
      const held = found.custom_fields ?? {};
      if (Number(held[KEYS.version] ?? 0) > versionOf(state)) return undefined;
      const changed = Object.entries(wanted).filter(([key, value]) => (held[key] ?? null) !== value);
      if (changed.length === 0) return undefined;
      return { email, id: found.id, custom_fields: Object.fromEntries(changed) };
    },
    async apply({ email, id, custom_fields }, signal) {
      if (id !== undefined)
        return void (await api.send('PATCH', path`/contacts/${id}/`, { custom_fields }, signal));
      // Both names are required.
      const at = email.lastIndexOf('@');
      const names = { first_name: email.slice(0, at), last_name: email.slice(at + 1) };
      await api.send('POST', path`/contacts/`, { ...names, email, custom_fields }, signal);
    },
  };
}

/** Of a record from before there were revisions: when it was recorded, in milliseconds as well. */
const versionOf = ({ suppression, recordedAt }: RecipientState): number => suppression.revision || recordedAt;

function fieldsOf(state: RecipientState): Patch['custom_fields'] {
  const { suppressed, reasons } = state.suppression;
  const lines = reasons.map(({ reason, scope, since, detail }) =>
    [reason, scope, new Date(since).toISOString(), ...(detail ? [detail.replace(/\s+/g, ' ')] : [])].join(
      ' | ',
    ),
  );
  return {
    [KEYS.state]: suppressed ? SUPPRESSED : NONE,
    // An empty text is no value.
    [KEYS.reasons]: lines.length > 0 ? lines.join('\n') : null,
    [KEYS.version]: versionOf(state),
  };
}
