import type { SimulatedEsp } from '@email-events/dev/simulate';
import { ALL_ESPS, changed, draftOf, rawDraft, type Story } from '../story.ts';
import { type Attack, type AttackContext, idOf } from './attack.ts';

/** Each ESP that puts several events into a request. */
const BATCHES: readonly SimulatedEsp[] = [
  ...(['sendgrid', 'standard-webhooks', 'mailtrap', 'sparkpost', 'mandrill', 'mailjet'] as const),
  ...(['brevo', 'unisender-go'] as const),
];

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

function hasSubject(esp: SimulatedEsp): boolean {
  return !['elasticemail', 'customerio'].includes(esp);
}

function requestOf(
  context: AttackContext,
  esp: SimulatedEsp,
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
