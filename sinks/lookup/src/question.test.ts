import { expect, test } from 'vitest';
import { answerOf } from './question.ts';
import { SuppressionState } from './state.ts';
import { AT, reason, suppression } from './testing/index.ts';

const state = new SuppressionState();
const put = (recipient: string, scope: string, revision = 5) =>
  state.put(recipient, suppression(recipient, [reason({ scope })], { revision }));
put('all@x.org', 'all');
put('news@x.org', 'news');
put('shop@x.org', 'account:shop');
put('käthe@xn--mller-kva.example', 'all');
state.put('lifted@x.org', suppression('lifted@x.org', [], { revision: 6 }));
state.put('old@x.org', suppression('old@x.org', [], { revision: 0 }));

const mayMail = (address: string, mail = {}) => answerOf(state, address, mail).mail;

test.each([
  ['all@x.org', {}, false],
  ['all@x.org', { stream: 'news', account: 'shop' }, false],
  ['news@x.org', { stream: 'news' }, false],
  ['news@x.org', { stream: 'news', account: 'another' }, false],
  ['news@x.org', { stream: 'News' }, true],
  ['news@x.org', { stream: 'receipts' }, true],
  ['news@x.org', {}, true],
  ['shop@x.org', { account: 'shop', stream: 'receipts' }, false],
  ['shop@x.org', { account: 'another', stream: 'receipts' }, true],
  ['shop@x.org', { account: 'sho' }, true],
  // Who does not say which account may mean this one.
  ['shop@x.org', { stream: 'receipts' }, false],
  ['lifted@x.org', { stream: 'news', account: 'shop' }, true],
  ['nobody@x.org', {}, true],
] as const)('%s, %o: %s', (address, mail, expected) => {
  expect(mayMail(address, mail)).toBe(expected);
});

test.each([' ALL@X.ORG\t', 'käthe@müller.example', 'KÄTHE@MÜLLER.EXAMPLE', 'käthe@XN--MLLER-KVA.example'])(
  'an address is known in any spelling: %s',
  (address) => {
    expect(mayMail(address)).toBe(false);
  },
);

test.each([
  '',
  'all',
  'All <all@x.org>',
  'all@x.org,nobody@x.org',
  'all\u0000@x.org',
  'all@x\u007f.org',
  'a\n@x.org',
])('what is no address is never answered with yes: %j', (address) => {
  expect(answerOf(state, address, {})).toEqual({
    ...{ address, mail: false, revision: null, problem: 'LOOKUP_ADDRESS_INVALID' },
  });
});

test('an answer says why, since when, by whom, and of which revision the state is', () => {
  expect(answerOf(state, 'All@x.org', {})).toEqual({
    address: 'All@x.org',
    mail: false,
    reasons: [
      {
        ...{ reason: 'hard_bounce', scope: 'all', since: new Date(AT).toISOString() },
        ...{ esp: 'postmark', source: 'main', account: null },
      },
    ],
    revision: 5,
  });
  expect(answerOf(state, 'lifted@x.org', {})).toEqual({ address: 'lifted@x.org', mail: true, revision: 6 });
  expect(answerOf(state, 'old@x.org', {}).revision).toBeNull();
  expect(answerOf(state, 'nobody@x.org', {}).revision).toBeNull();
});
