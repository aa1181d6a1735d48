import { describe, expect, it } from 'vitest';
import { read } from './read.fixture.ts';

const event = (type: string, data: object = {}) => ({
  type,
  created_at: '2026-11-02T09:15:29.512Z',
  data: { email_id: 'm', to: ['a@example.com'], ...data },
});
const W1 = { 'svix-id': 'w1' };
const W2 = { 'svix-id': 'w2' };
const BOTH = { to: ['a@example.com', 'b@example.com'] };

describe('identity', () => {
  it('is the svix-id, whatever came with it', () => {
    const { ids } = read('resend', event('email.opened'), W1);
    expect(read('resend', event('email.opened', { subject: 'x' }), W1).ids).toEqual(ids);
    expect(read('resend', event('email.opened'), { 'webhook-id': 'w1' }).ids).toEqual(ids);
    expect(read('resend', event('email.opened'), W2).ids).not.toEqual(ids);
  });

  it('is the item where the header is missing, so that different events stay two', () => {
    const { ids } = read('resend', event('email.opened'));
    expect(read('resend', event('email.opened')).ids).toEqual(ids);
    expect(read('resend', event('email.opened', { email_id: 'n' })).ids).not.toEqual(ids);
  });

  it('is the message for what happens once to each of several addressees', () => {
    const delivered = read('resend', event('email.delivered', BOTH), W1).ids;
    expect(new Set(delivered).size).toBe(2);
    expect(read('resend', event('email.delivered', BOTH), W2).ids).toEqual(delivered);
    expect(read('resend', event('email.delivered', { ...BOTH, email_id: 'n' }), W2).ids).not.toEqual(
      delivered,
    );
    const opened = read('resend', event('email.opened', BOTH), W1).ids;
    expect(read('resend', event('email.opened', BOTH), W2).ids).not.toEqual(opened);
    const scheduled = read('resend', event('email.scheduled', BOTH), W1).ids;
    expect(read('resend', event('email.sent', BOTH), W1).ids).not.toEqual(scheduled);
  });

  it('keeps a bounce whose text names the recipient apart from one that was anybody’s', () => {
    const bounce = (message: string) =>
      event('email.bounced', { ...BOTH, bounce: { type: 'Permanent', message } });
    const anybody = read('resend', bounce('refused'), W1);
    const named = read('resend', bounce('no such user: B@example.com'), W2);
    expect(anybody.events.map((made) => [made.recipient, made.bounce_class])).toEqual([
      ['a@example.com', 'undetermined'],
      ['b@example.com', 'undetermined'],
    ]);
    expect(named.events.map((made) => [made.recipient, made.bounce_class])).toEqual([
      ['b@example.com', 'hard'],
    ]);
    expect(anybody.ids).not.toContain(named.ids[0]);
  });
});

it('reads a time however it is written', () => {
  for (const created_at of [
    '2026-11-02T09:15:29.512Z',
    '2026-11-02T09:15:29.512999+00:00',
    '2026-11-02 09:15:29.512345+00',
    '2026-11-02T11:15:29.512+02:00',
  ]) {
    const [made] = read('resend', { ...event('email.sent'), created_at }, W1).events;
    expect(made?.occurred_at).toBe(Date.parse('2026-11-02T09:15:29.512Z'));
  }
});

it('reads a bounce that has neither type nor answer as undetermined', () => {
  expect(read('resend', event('email.bounced'), W1).events[0]?.bounce_class).toBe('undetermined');
  const old = (message: string) =>
    read('resend', event('email.bounced', { bounce: { message } }), W1).events[0]?.bounce_class;
  expect(old("The recipient's email provider sent a general bounce message.")).toBe('undetermined');
  expect(old("The recipient's email provider sent a hard bounce message, but …")).toBe('hard');
});

describe('what is said of a contact', () => {
  const at = '2026-11-02T09:15:29.512Z';
  const said = (type: string, data: object) =>
    read('resend', { type, created_at: at, data }, { 'svix-id': 'w' }).events.map((event) => [
      event.type,
      event.scope,
    ]);
  const contact = { email: 'a@example.com', first_name: 'A' };

  it('is an opt-out of everything where the contact has left', () => {
    expect(said('contact.updated', { ...contact, unsubscribed: true })).toEqual([['unsubscribed', 'all']]);
    expect(said('contact.created', { ...contact, unsubscribed: true })).toEqual([['unsubscribed', 'all']]);
    expect(said('suppression.added', { ...contact, origin: 'manual' })).toEqual([['unsubscribed', 'all']]);
  });

  it('is no choice where nothing says that there was one', () => {
    expect(said('contact.updated', { ...contact, unsubscribed: false })).toEqual([['other', undefined]]);
    expect(said('contact.topics.updated', { ...contact, topics: [] })).toEqual([['other', undefined]]);
    expect(said('suppression.removed', { ...contact, origin: 'bounce' })).toEqual([['other', undefined]]);
  });

  it('is a choice for each topic, with an id of its own', () => {
    const topics = [
      { id: 't1', subscription: 'opt_out' },
      { id: 't2', subscription: 'opt_out' },
      { id: 't3', subscription: 'opt_in' },
    ];
    expect(said('contact.topics.updated', { ...contact, topics })).toEqual([
      ['unsubscribed', 't1'],
      ['unsubscribed', 't2'],
      ['subscribed', 't3'],
    ]);
    const body = { type: 'contact.topics.updated', created_at: at, data: { ...contact, topics } };
    expect(new Set(read('resend', body, { 'svix-id': 'w' }).ids).size).toBe(3);
  });
});

it('takes none of several addressees for the one who complained', () => {
  const complained = (...to: string[]) =>
    read('resend', {
      type: 'email.complained',
      created_at: '2026-11-02T09:15:29.512Z',
      data: { email_id: 'm', to },
    }).events.map(({ type }) => type);
  expect(complained('a@example.com')).toEqual(['complained']);
  expect(complained('a@example.com', 'b@example.com')).toEqual(['other', 'other']);
});
