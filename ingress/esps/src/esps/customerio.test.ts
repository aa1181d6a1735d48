import { describe, expect, it } from 'vitest';
import { read } from './read.fixture.ts';

const report = (metric: string, more: object = {}, data: object = {}) => ({
  event_id: 'e1',
  object_type: 'email',
  metric,
  timestamp: 1_793_610_929,
  data: { recipient: 'a@example.com', delivery_id: 'd', ...data },
  ...more,
});
const first = (body: unknown) => read('customerio', body).events[0];

describe('identity', () => {
  it('is event_id', () => {
    const { ids } = read('customerio', report('opened'));
    expect(read('customerio', report('opened', {}, { subject: 'x' })).ids).toEqual(ids);
    expect(read('customerio', report('opened', { event_id: 'e2' })).ids).not.toEqual(ids);
  });

  it.each([undefined, null, ''])('never merges different events whose id is %s', (event_id) => {
    const { ids } = read('customerio', report('opened', { event_id }));
    expect(read('customerio', report('opened', { event_id })).ids).toEqual(ids);
    expect(read('customerio', report('opened', { event_id }, { delivery_id: 'x' })).ids).not.toEqual(ids);
  });
});

it.each(['push', 'sms', 'in_app', 'slack', 'webhook', 'whatsapp'])(
  'takes no %s message for an email',
  (object_type) => {
    for (const metric of ['sent', 'delivered', 'bounced', 'clicked', 'unsubscribed']) {
      expect(first(report(metric, { object_type }, { recipient: '+3212345' }))).toMatchObject({
        type: 'other',
        recipient: '',
      });
    }
  },
);

it('finds the address of a customer among the identifiers, or where it used to be', () => {
  const customer = (data: object) =>
    first(report('unsubscribed', { object_type: 'customer' }, { recipient: undefined, ...data }))?.recipient;
  expect(customer({ identifiers: { id: '42', email: 'b@example.com' } })).toBe('b@example.com');
  expect(customer({ identifiers: { id: '42', email: null }, email_address: 'c@example.com' })).toBe(
    'c@example.com',
  );
  expect(
    read('customerio', report('unsubscribed', { object_type: 'customer' }, { recipient: '' })).refused,
  ).toEqual(['NORMALIZE_RECIPIENT_MISSING']);
});

it('says that a person opened where Customer.io does', () => {
  expect(first(report('human_opened'))).toMatchObject({ type: 'opened', is_machine: false });
  expect(first(report('opened'))).toMatchObject({ is_machine: null });
  expect(first(report('opened', {}, { machine: true }))).toMatchObject({ is_machine: true });
});

it('reads the class of a bounce out of its text', () => {
  const bounceClass = (failure_message?: string) =>
    first(report('bounced', {}, { failure_message }))?.bounce_class;
  expect(bounceClass('550 5.1.1 no such user')).toBe('hard');
  expect(bounceClass('452 4.2.2 mailbox full')).toBe('soft');
  expect(bounceClass('Bounced')).toBe('undetermined');
  expect(bounceClass()).toBe('undetermined');
});

describe('changed preferences', () => {
  const changed = (content: unknown, more = {}) => ({
    ...{ object_type: 'customer', metric: 'cio_subscription_preferences_changed', event_id: 'p' },
    ...{ timestamp: 1_793_610_929, data: { content, email_address: 'a@example.com' } },
    ...more,
  });
  const choices = (content: unknown, more = {}) =>
    read('customerio', changed(content, more)).events.map(({ type, scope }) => [type, scope]);

  it('are one event a topic, and one of all mail for the channel', () => {
    const content = JSON.stringify({ topics: { topic_7: false, topic_8: true }, channels: { email: false } });
    const expected = [
      ['unsubscribed', 'all'],
      ['unsubscribed', 'topic_7'],
      ['subscribed', 'topic_8'],
    ];
    expect(choices(content)).toEqual(expected);
    expect(choices(JSON.parse(content))).toEqual(expected);
    expect(new Set(read('customerio', changed(content)).ids).size).toBe(3);
    // As in the documentation's sample.
    expect(choices(content, { object_type: undefined, object_type_type: 'email' })).toEqual(expected);
  });

  it('are data where they name no topic', () => {
    for (const content of ['{', '{}', undefined, '{"channels":{"sms":false}}'])
      expect(choices(content)).toEqual([['other', undefined]]);
  });
});
