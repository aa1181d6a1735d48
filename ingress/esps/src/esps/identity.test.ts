import { describe, expect, it } from 'vitest';
import { idsIn as ids } from './read.fixture.ts';

const DAY = 86_400;
const AT = 1_793_610_930;

describe('SendGrid', () => {
  const open = { event: 'open', email: 'a@example.com', timestamp: AT, sg_event_id: 'abc==' };
  it('knows an event by its id, padded or not, whatever came with it', () => {
    const [one, other, third] = ids('sendgrid', [
      open,
      { ...open, sg_event_id: 'abc', useragent: 'x' },
      { ...open, sg_event_id: 'abd' },
    ]);
    expect(other).toBe(one);
    expect(third).not.toBe(one);
  });

  it.each([undefined, null, ''])('never merges different events whose id is %s', (sg_event_id) => {
    const nameless = { ...open, sg_event_id };
    const made = ids('sendgrid', [
      nameless,
      { ...nameless, timestamp: AT + 1 },
      { ...nameless, ip: '192.0.2.1' },
      nameless,
    ]);
    expect(new Set(made).size).toBe(3);
    expect(made[3]).toBe(made[0]);
  });
});

describe('SendGrid, sent again under another sg_event_id', () => {
  const about = {
    email: 'a@example.com',
    timestamp: AT,
    sg_event_id: 'a',
    sg_message_id: 'm.filter0001.1.2.0',
  };
  const again = { sg_event_id: 'b' };
  it.each(['processed', 'delivered', 'bounce', 'dropped', 'spamreport'])(
    '%s is once in a message',
    (event) => {
      const of = (more: object) => ({ ...about, event, ...more });
      const [one, other, message, person] = ids('sendgrid', [
        of({}),
        of({ ...again, timestamp: AT + 60 }),
        of({ sg_message_id: 'n.filter0001.1.2.0' }),
        of({ email: 'b@example.com' }),
      ]);
      expect(other).toBe(one);
      expect(new Set([one, message, person]).size).toBe(3);
    },
  );

  it('a message that was blocked may still bounce', () => {
    const bounce = (type: string, id: string) => ({ ...about, event: 'bounce', type, sg_event_id: id });
    const [blocked, bounced, again] = ids('sendgrid', [
      bounce('blocked', 'a'),
      bounce('bounce', 'b'),
      bounce('bounce', 'c'),
    ]);
    expect(bounced).not.toBe(blocked);
    expect(again).toBe(bounced);
  });

  it.each([
    ['open', { useragent: 'other' }, { ip: '192.0.2.9' }],
    ['click', { url: 'https://example.com/b' }, { url_offset: { index: 1, type: 'html' } }],
    ['deferred', { attempt: '2' }, {}],
    ['unsubscribe', {}, {}],
    ['group_unsubscribe', { asm_group_id: 7 }, {}],
    ['group_resubscribe', { asm_group_id: 7 }, {}],
  ])('%s: a repetition is one, two real ones are two', (event, ...differences) => {
    const first = {
      ...about,
      event,
      url: 'https://example.com/a',
      attempt: '1',
      asm_group_id: 6,
      ip: '192.0.2.1',
      useragent: 'client',
      url_offset: { index: 0, type: 'html' },
    };
    const others = (differences as object[]).filter((more) => Object.keys(more).length > 0);
    const [one, repeated, later, ...different] = ids('sendgrid', [
      first,
      { ...first, ...again },
      { ...first, timestamp: AT + 1 },
      ...others.map((more) => ({ ...first, ...more })),
    ]);
    expect(repeated).toBe(one);
    expect(new Set([one, later, ...different]).size).toBe(2 + others.length);
  });
});

describe('Mailgun', () => {
  const event = (more: object, token = 't1') => ({
    signature: { timestamp: String(AT), token, signature: '00' },
    'event-data': { event: 'opened', id: 'x', timestamp: AT, recipient: 'a@example.com', ...more },
  });
  it('knows an event by its id within a day', () => {
    expect(ids('mailgun', event({}, 't2'))).toEqual(ids('mailgun', event({})));
    expect(ids('mailgun', event({ timestamp: AT + DAY }))).not.toEqual(ids('mailgun', event({})));
    expect(ids('mailgun', event({ id: 'y' }))).not.toEqual(ids('mailgun', event({})));
  });

  it('takes the token where there is no id', () => {
    expect(ids('mailgun', event({ id: undefined }, 't2'))).not.toEqual(
      ids('mailgun', event({ id: undefined })),
    );
    expect(ids('mailgun', event({ id: undefined }))).toEqual(ids('mailgun', event({ id: undefined })));
  });
});

describe('Postmark', () => {
  const bounce = {
    RecordType: 'Bounce',
    Type: 'SoftBounce',
    ID: 1,
    MessageID: 'm',
    Email: 'a@example.com',
    BouncedAt: '2026-11-02T09:15:29Z',
  };
  const click = {
    RecordType: 'Click',
    MessageID: 'm',
    Recipient: 'a@example.com',
    ReceivedAt: '2026-11-02T09:15:29Z',
    OriginalLink: 'https://x.example/1',
  };
  it('keeps two soft bounces of a message apart, and makes one of a hard bounce and the suppression after it', () => {
    expect(ids('postmark', { ...bounce, ID: 2 })).not.toEqual(ids('postmark', bounce));
    const hard = ids('postmark', { ...bounce, Type: 'HardBounce' });
    const suppression = {
      RecordType: 'SubscriptionChange',
      SuppressSending: true,
      SuppressionReason: 'HardBounce',
      MessageID: 'm',
      Recipient: 'a@example.com',
      ChangedAt: '2026-11-02T09:16:00Z',
    };
    expect(ids('postmark', suppression)).toEqual(hard);
    expect(ids('postmark', { ...suppression, MessageID: null })).not.toEqual(hard);
  });

  it('keeps clicks on different links or at different times apart', () => {
    const made = [
      click,
      { ...click, OriginalLink: 'https://x.example/2' },
      { ...click, ReceivedAt: '2026-11-02T09:15:29.001Z' },
      { ...click, RecordType: 'Open' },
    ].flatMap((record) => ids('postmark', record));
    expect(new Set(made).size).toBe(4);
    expect(ids('postmark', { ...click })).toEqual([made[0]]);
  });
});

describe('SES', () => {
  const mail = {
    messageId: 'm',
    timestamp: '2026-11-02T09:15:00.000Z',
    destination: ['a@example.com', 'b@example.com'],
  };
  const sns = (message: object, id = 's1') => ({
    Type: 'Notification',
    MessageId: id,
    Message: JSON.stringify(message),
  });
  const click = (link: string) => ({
    eventType: 'Click',
    mail,
    click: { timestamp: '2026-11-02T09:16:00.000Z', link },
  });

  it('makes an event of each recipient, the same in every notification of it', () => {
    const [one, other] = ids('ses', sns(click('https://x.example/1')));
    expect(one).not.toBe(other);
    expect(ids('ses', sns(click('https://x.example/1'), 's2'))).toEqual([one, other]);
    expect(ids('ses', sns(click('https://x.example/2')))).not.toContain(one);
  });

  it('keeps a rejection and a rendering failure, and messages without an id, apart', () => {
    const reject = { eventType: 'Reject', mail, reject: { reason: 'x' } };
    expect(ids('ses', sns(reject))).not.toEqual(
      ids('ses', sns({ ...reject, eventType: 'Rendering Failure' })),
    );
    const nameless = { ...reject, mail: { ...mail, messageId: undefined } };
    expect(ids('ses', sns(nameless, 's1'))).not.toEqual(ids('ses', sns(nameless, 's2')));
  });
});

describe('Standard Webhooks', () => {
  const event = { type: 'opened', occurred_at: AT, recipient: 'a@example.com' };
  it('takes the id of the event, else webhook-id and position', () => {
    const [first, second] = ids('standard-webhooks', [event, event], { 'webhook-id': 'w1' });
    expect(first).not.toBe(second);
    expect(ids('standard-webhooks', [event, event], { 'webhook-id': 'w1' })).toEqual([first, second]);
    expect(ids('standard-webhooks', [event], { 'webhook-id': 'w2' })).not.toContain(first);
    const named = { ...event, id: 'e1' };
    expect(ids('standard-webhooks', named, { 'webhook-id': 'w1' })).toEqual(
      ids('standard-webhooks', [event, named], { 'webhook-id': 'w2' }).slice(1),
    );
  });
});
