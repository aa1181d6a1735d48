import { describe, expect, it } from 'vitest';
import { read } from './read.fixture.ts';

const open = '"event":"open","time":1793610929,"email":"a@example.com"';
const ids = (...events: string[]) => read('mailjet', `[${events.map((event) => `{${event}}`)}]`).ids;

describe('identity', () => {
  const named = `${open},"MessageID":19421777835146491`;

  it('is the same alone and in a group', () => {
    expect(read('mailjet', `{${named}}`).ids).toEqual(ids(named));
  });

  it('keeps ids apart that are one as doubles, and everything else that differs', () => {
    const others = [
      named,
      `${open},"MessageID":19421777835146490`,
      named.replace('1793610929', '1793610930'),
      named.replace('a@', 'b@'),
      named.replace('"open"', '"spam"'),
      `${named.replace('"open"', '"click"')},"url":"https://x.example/1"`,
      `${named.replace('"open"', '"click"')},"url":"https://x.example/2"`,
      `${named},"ip":"192.0.2.1"`,
    ];
    expect(new Set(ids(...others)).size).toBe(others.length);
  });

  it('is the number or its text', () => {
    expect(ids(`${open},"MessageID":"19421777835146491"`)).toEqual(ids(named));
    expect(ids(`${open},"mj_message_id":"19421777835146491"`)).toEqual(ids(named));
  });

  it('is never a message that has no id', () => {
    const [zero, none, other, again] = ids(`${open},"MessageID":0`, open, `${open},"agent":"x"`, open);
    expect(again).toBe(none);
    expect(new Set([zero, none, other]).size).toBe(3);
  });
});

it('takes hard_bounce in any spelling', () => {
  const bounceClass = (hard: unknown) =>
    read('mailjet', { event: 'bounce', time: 1_793_610_929, email: 'a@example.com', hard_bounce: hard })
      .events[0]?.bounce_class;
  expect([true, 1, '1', 'true'].map(bounceClass)).toEqual(['hard', 'hard', 'hard', 'hard']);
  expect([false, 0, '', null, 'false'].map(bounceClass)).toEqual(['soft', 'soft', 'soft', 'soft', 'soft']);
});
