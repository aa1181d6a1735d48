import { gzipSync } from 'node:zlib';
import { senderOf, type WireRequest } from '@email-events/dev/simulate';
import { findAdapter } from '@email-events/esps';
import { pathOf } from '../account.ts';
import { ALL_ESPS, changed, draftOf, rawDraft, type Story } from '../story.ts';
import { type Attack, type AttackContext, idOf, without } from './attack.ts';

const MEGABYTE = Buffer.from(`[${'{"event":"delivered","email":"a@example.com"},'.repeat(22_000)}{}]`);
const BOMB = gzipSync(Buffer.alloc(50_000_000, ' '));
const POSTING = without(ALL_ESPS, 'elasticemail');

/** To the honest accounts' own webhooks, which have the names of the ESPs. */
const unsigned = (esp: string, body: Buffer, headers: WireRequest['headers'] = {}): WireRequest => ({
  ...{ method: 'POST', path: pathOf(esp), body },
  headers: { 'content-type': contentTypeOf(esp), ...headers },
});

export const contentTypeOf = (esp: string) => findAdapter(esp)?.http.contentTypes[0] ?? 'application/json';

const bigAndUnsigned: Attack = {
  ...{ name: 'an unsigned body of 1 MB', share: 4, answer: 'refused', esps: POSTING },
  blow: (esp) => [unsigned(esp, MEGABYTE.subarray(0, 1_000_000))],
};

/** Every header that a signature may be in is there, and none is right. */
const wronglySigned: Attack = {
  ...{ name: 'signed by another key', share: 4, answer: 'refused', esps: ALL_ESPS },
  blow(esp, { hostile, next, run }) {
    const id = next();
    const draft = draftOf(esp, [{ type: 'bounced', recipient: `f${id}.${run}@example.com`, id, run }]);
    const request = hostile.request(esp, draft);
    return [{ ...request, path: request.path.replace(pathOf(hostile.sourceOf(esp)), pathOf(esp)) }];
  },
};

const bomb: Attack = {
  ...{ name: 'a bomb of gzip', share: 2, answer: 'refused', esps: POSTING },
  blow: (esp) => [unsigned(esp, BOMB, { 'content-encoding': 'gzip' })],
};

const hugeHeaders: Attack = {
  ...{ name: 'headers of 60 kB', share: 2, answer: 'refused', esps: POSTING },
  blow: (esp) => [unsigned(esp, Buffer.from('[]'), { 'x-padding': 'x'.repeat(60_000) })],
};

/** Mailgun's signature covers a token and a time, not what is reported: who has seen one can put it before anything. */
const replayedToken: Attack = {
  ...{ name: 'an honest token before another body', share: 3, answer: 'refused', esps: ['mailgun'] },
  blow(esp, { overheard, next, run }) {
    const heard = overheard(esp);
    if (!heard) return [];
    const id = next();
    const signature = /"signature":(\{[^}]*\})/.exec(heard.body.toString())?.[1] ?? '{}';
    const event = { id: `${run}-${id}`, event: 'complained', recipient: `r${id}.${run}@example.com` };
    const body = `{"signature":${signature},"event-data":${JSON.stringify({ ...event, timestamp: Date.now() / 1_000 })}}`;
    return [{ ...heard, body: Buffer.from(body) }];
  },
};

/** The same request again, byte for byte, from an attacker who has seen it: it says nothing new. */
const replayed: Attack = {
  ...{ name: 'an honest request once more', share: 4, answer: 'any' },
  esps: ['sendgrid', 'mailgun', 'ses', 'postmark', 'standard-webhooks'],
  blow(esp, { overheard }) {
    const heard = overheard(esp);
    return heard ? [heard] : [];
  },
};

export const unsignedAttacks: readonly Attack[] = [
  ...[bigAndUnsigned, wronglySigned, bomb, hugeHeaders, replayedToken, replayed],
];

/** Each ESP that puts several events into a request. */
const BATCHES = ALL_ESPS.filter((esp) => senderOf(esp).batches);

/** Recipients times what is said of all of them. */
const manyAddressees: Attack = {
  ...{ name: 'Resend: 20,000 addressees, a subject of 400 kB', share: 2, answer: 'taken', esps: ['resend'] },
  blow(esp, context) {
    const to = addresses(context, 10_000);
    return [requestOf(context, esp, (value) => (isAddressList(value) ? to : value), 400_000)];
  },
};

const addresseesAndTopics: Attack = {
  ...{ name: 'SES: 3,000 addressees times 4,000 topics', share: 2, answer: 'taken', esps: ['ses'] },
  blow(esp, context) {
    const id = context.next();
    const topicSubscriptionStatus = Array.from({ length: 4_000 }, (_, i) => ({
      ...{ topicName: `t${i}`, subscriptionStatus: 'OptOut' },
    }));
    const message = {
      eventType: 'Subscription',
      mail: {
        ...{ timestamp: new Date().toISOString(), messageId: `${context.run}-${id}` },
        ...{ source: 'news@shop.example', destination: addresses(context, 3_000) },
      },
      subscription: {
        ...{ contactList: 'Customers', timestamp: new Date().toISOString(), source: 'PreferenceCenter' },
        newTopicPreferences: { unsubscribeAll: false, topicSubscriptionStatus },
        oldTopicPreferences: { unsubscribeAll: false, topicSubscriptionStatus: [] },
      },
    };
    return [context.hostile.request(esp, rawDraft(esp, JSON.stringify(message), idOf(context, id)))];
  },
};

const recipientsAndDetails: Attack = {
  ...{
    name: 'ZeptoMail: 2,000 addressees times 2,000 opens',
    share: 2,
    answer: 'taken',
    esps: ['zeptomail'],
  },
  blow(esp, context) {
    const id = context.next();
    const to = addresses(context, 2_000).map((address) => ({ email_address: { address } }));
    const details = Array.from({ length: 2_000 }, (_, i) => ({
      time: new Date(Date.now() - i * 1_000).toISOString(),
    }));
    const content = {
      event_name: ['email_open'],
      event_message: [
        {
          request_id: `${context.run}-${id}`,
          email_info: { from: { address: 'news@shop.example' }, to, subject: 's'.repeat(20_000) },
          event_data: [{ object: 'email_open', details }],
        },
      ],
      webhook_request_id: `${context.run}-${id}`,
    };
    return [context.hostile.request(esp, rawDraft(esp, JSON.stringify(content), `${id}`))];
  },
};

/** A batch of as many events as fit, each of another recipient, so that every partition is busy. */
const fullBatch: Attack = {
  ...{ name: 'a full batch, events of 600 recipients', share: 6, answer: 'taken', esps: BATCHES },
  blow(esp, context) {
    const [first, ...rest] = Array.from({ length: 600 }, (): Story => {
      const id = context.next();
      return { type: 'delivered', recipient: `r${id}.${context.run}@example.com`, id, run: context.run };
    });
    return first ? [context.hostile.request(esp, draftOf(esp, [first, ...rest]))] : [];
  },
};

/** One text as long as a body may be, in a field that every event has. */
const longText: Attack = {
  ...{ name: 'a subject of 900 kB', share: 2, answer: 'taken', esps: ALL_ESPS.filter(hasSubject) },
  blow: (esp, context) => [requestOf(context, esp, (value) => value, 900_000)],
};

export const fanOutAttacks: readonly Attack[] = [
  ...[manyAddressees, addresseesAndTopics, recipientsAndDetails, fullBatch, longText],
];

function hasSubject(esp: string): boolean {
  return !['elasticemail', 'customerio'].includes(esp);
}

function requestOf(
  context: AttackContext,
  esp: string,
  change: (value: unknown) => unknown,
  subjectBytes: number,
) {
  const id = context.next();
  const story: Story = {
    ...{ type: 'delivered', recipient: `wide${id}.${context.run}@example.com`, id, run: context.run },
    subject: 'x'.repeat(subjectBytes),
  };
  return context.hostile.request(esp, changed(esp, draftOf(esp, [story]), change));
}

const isAddressList = (value: unknown) =>
  Array.isArray(value) && value.length === 1 && typeof value[0] === 'string' && value[0].includes('@');

function addresses({ run, next }: AttackContext, count: number): string[] {
  const id = next();
  return Array.from({ length: count }, (_, i) => `f${id}.${i}.${run}@example.com`);
}

const FAR = Date.UTC(2099, 0, 1);

/** So many streams left that no state holds them, and then a person's own unsubscribe finds no room. */
const manyScopes: Attack = {
  ...{ name: '460 streams left by one recipient', share: 3, answer: 'taken', esps: ['standard-webhooks'] },
  blow(esp, context) {
    const recipient = context.victim();
    const account = context.random.pick([context.hostile, context.leaked]);
    const [first, ...rest] = Array.from({ length: 460 }, (_, i): Story => {
      const stream = `stream-${i}-${'x'.repeat(100)}`;
      const id = context.next();
      return { type: 'unsubscribed', recipient, id, run: context.run, scope: 'stream', stream };
    });
    return first ? [account.request(esp, draftOf(esp, [first, ...rest]))] : [];
  },
};

/** Were it believed, every unsubscribe of the next decades would be void. */
const subscribedForEver: Attack = {
  ...{ name: 'a resubscription in 2099, of another account', share: 4, answer: 'taken' },
  esps: ['sendgrid', 'ses', 'standard-webhooks', 'customerio', 'unisender-go', 'smtp2go', 'postmark'],
  blow(esp, context) {
    const recipient = context.victim();
    const account = context.random.pick([context.hostile, context.leaked]);
    return (['all', 'stream'] as const).map((scope) =>
      account.request(
        esp,
        draftOf(esp, [
          { type: 'subscribed', recipient, id: context.next(), run: context.run, at: FAR, scope },
        ]),
      ),
    );
  },
};

/** Were it believed, no number of soft bounces would ever count again. */
const deliveredForEver: Attack = {
  ...{ name: 'a delivery in 2099, of another account', share: 4, answer: 'taken', esps: ALL_ESPS },
  blow(esp, context) {
    const recipient = context.victim();
    const account = context.random.pick([context.hostile, context.leaked]);
    const id = context.next();
    return [
      account.request(esp, draftOf(esp, [{ type: 'delivered', recipient, id, run: context.run, at: FAR }])),
    ];
  },
};

/** Complaints and hard bounces about other people's recipients, by an account that may suppress its own streams only. */
const suppressOthers: Attack = {
  ...{ name: 'hard bounces of another account’s recipients', share: 4, answer: 'taken', esps: ALL_ESPS },
  blow(esp, context) {
    const story: Story = {
      ...{ type: 'bounced', recipient: context.victim(), id: context.next(), run: context.run },
      diagnostic: '550 5.1.1 No such user here',
    };
    return [context.hostile.request(esp, draftOf(esp, [story]))];
  },
};

/** Five complaints under the name of another account's campaign. */
const campaignName: Attack = {
  ...{ name: 'complaints under another account’s campaign', share: 3, answer: 'taken' },
  esps: ['sendgrid', 'mailgun', 'ses', 'standard-webhooks', 'resend', 'mailjet', 'brevo', 'sparkpost'],
  blow(esp, context) {
    const campaign = context.random.pick(['spring-sale', 'product-news', 'loyalty-points']);
    return Array.from({ length: 5 }, () => {
      const id = context.next();
      const recipient = `angry${id}.${context.run}@example.com`;
      return context.hostile.request(
        esp,
        draftOf(esp, [{ type: 'complained', recipient, id, run: context.run, campaign }]),
      );
    });
  },
};

export const stateAttacks: readonly Attack[] = [
  ...[manyScopes, subscribedForEver, deliveredForEver, suppressOthers, campaignName],
];
