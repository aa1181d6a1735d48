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

describe('leaving', () => {
  const event = (eventName: string, more = {}) =>
    read('loops', { ...opened, eventName, email: undefined, ...more });
  const mailingList = { id: 'cm4', name: 'News', description: null, isPublic: true };

  it('is of everything only where the contact leaves', () => {
    expect(event('contact.unsubscribed').events).toMatchObject([
      { type: 'unsubscribed', recipient: 'a@example.com', scope: 'all' },
    ]);
    // A link in a mail: of everything or of its list, that the event of the contact says.
    expect(event('email.unsubscribed').events).toMatchObject([{ type: 'other' }]);
  });

  it('has the list as its scope where a list is left or joined', () => {
    expect(event('contact.mailingList.unsubscribed', { mailingList }).events).toMatchObject([
      { type: 'unsubscribed', scope: 'News', stream: 'News' },
    ]);
    expect(event('contact.mailingList.subscribed', { mailingList }).events).toMatchObject([
      { type: 'subscribed', scope: 'News', stream: 'News' },
    ]);
    expect(event('contact.mailingList.unsubscribed').refused).toEqual(['NORMALIZE_ITEM_INVALID']);
  });
});
