import type { EventMark } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { type MarkedEvent, markOf } from './marks.ts';

const EVENT: MarkedEvent = {
  ...{ event_id: 'e', type: 'complained', occurred_at: 1, received_at: 2, esp: 'sendgrid', source: 'main' },
  ...{ account: null, recipient: 'a@x.org', recipient_domain: 'x.org', campaign: 'spring', variant: null },
  ...{ stream: null, bounce_class: null, is_machine: null },
};
const ORDER = { by: 'maria', at: 1_000, why: 'secret leaked' };

/** As the command makes them, one after the other. */
function history(...marks: readonly EventMark['mark'][]): EventMark[] {
  const made: EventMark[] = [];
  for (const mark of marks) made.push(markOf(EVENT, mark, made.at(-1), ORDER));
  return made;
}

test('the changes of an event add up to whether it counts, whatever it was marked as and how often', () => {
  const changes = history('forged', 'forged', 'none', 'none', 'superseded', 'forged', 'none').map(
    ({ change }) => change,
  );
  expect(changes).toEqual([1, 0, -1, 0, 1, 0, -1]);
});

test('a mark is later than the one before it, though the clock stands still', () => {
  expect(history('forged', 'none', 'forged').map(({ at }) => at)).toEqual([1_000, 1_001, 1_002]);
});

test('it repeats what the rollup needs of the event', () => {
  const [mark] = history('forged');
  expect(mark).toEqual({ ...EVENT, ...ORDER, mark: 'forged', change: 1, replaced_by: null });
});
