import { describe, expect, it } from 'vitest';
import { read } from './read.fixture.ts';

const opened = {
  eventName: 'email.opened',
  eventTime: 1_793_610_929,
  contactIdentity: { id: 'c', email: 'a@example.com', userId: null },
  email: { id: 'm' },
};

describe('identity', () => {
  it('is the webhook-id', () => {
    const { ids } = read('loops', opened, { 'webhook-id': 'w1' });
    expect(read('loops', { ...opened, new: 1 }, { 'webhook-id': 'w1' }).ids).toEqual(ids);
    expect(read('loops', opened, { 'webhook-id': 'w2' }).ids).not.toEqual(ids);
  });

  it('is the item where the header is missing', () => {
    const { ids } = read('loops', opened);
    expect(read('loops', opened).ids).toEqual(ids);
    expect(read('loops', { ...opened, eventTime: 1_793_610_930 }).ids).not.toEqual(ids);
  });
});

it('names a stream only where there is one list', () => {
  const list = (name: string) => ({ id: name, name, description: null, isPublic: true });
  const stream = (...names: string[]) =>
    read('loops', { ...opened, mailingLists: names.map(list) }).events[0]?.stream;
  expect([stream(), stream('news'), stream('news', 'offers')]).toEqual([null, 'news', null]);
});

it('takes no unsubscription from a contact that was deleted or bounced', () => {
  const { events } = read('loops', { ...opened, eventName: 'contact.unsubscribed', email: undefined });
  expect(events[0]).toMatchObject({ type: 'other', recipient: 'a@example.com' });
});
