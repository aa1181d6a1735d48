import { PipelineError } from '@email-events/core';
import { expect, test } from 'vitest';
import { batchSettings } from '../testing/codecs.ts';
import { eventOf, recordOf } from '../testing/records.ts';
import { Batch, type BatchSettings, type KnownState } from './batch.ts';
import { checkEvents, setAside } from './unforeseen.ts';

const KNOWN: KnownState = { has: () => false, recipient: () => undefined };
const FAILURE = { error: new TypeError('a mistake'), attempts: 3 };

/** Fails on events with this subject, as a bug might. */
function settings(error: unknown = new TypeError('a mistake')): BatchSettings {
  const { encoders, ...others } = batchSettings();
  const opened: typeof encoders.opened = {
    ...encoders.opened,
    encode: (event) => {
      if (event.subject === 'bad') throw error;
      return encoders.opened.encode(event);
    },
  };
  return { ...others, encoders: { ...encoders, opened } };
}
const good = (source = 'main') => eventOf('opened', { source });
const bad = (source = 'main') => eventOf('opened', { source, subject: 'bad' });
const run = (events: ReturnType<typeof eventOf>[], of = settings(), known = KNOWN) =>
  setAside(recordOf(Buffer.from('bytes')), { events, actions: [] }, FAILURE, () => new Batch(known, of, 0));

const NONE = { received: 0, emitted: 0, duplicates: 0, deadLettered: 0, erased: 0 };

test('an event that fails by itself is set aside alone, by whose it is', () => {
  const { batch, sources } = run([good('a'), bad('b'), good('c')]);
  expect(sources).toEqual(['b']);
  expect(batch.failures).toMatchObject([
    { code: 'EVENTS_RECORD_FAILED', item: { index: 1 }, carriesValue: true },
  ]);
  expect(batch.failures[0]?.message).toBe('the work on it fails with TypeError');
  expect(batch.totals(NONE)).toEqual({ received: 3, emitted: 2, duplicates: 0, deadLettered: 1, erased: 0 });
});

test('a record in which no event fails by itself, or that cannot be read, is set aside as a whole', () => {
  const { batch, sources } = run([good('a'), good('b')]);
  expect(sources).toEqual(['a', 'b']);
  expect(batch.failures).toMatchObject([{ code: 'EVENTS_RECORD_FAILED', carriesValue: true }]);
  expect(batch.failures[0]).not.toHaveProperty('item');
  expect(batch.totals(NONE)).toEqual({ received: 1, emitted: 0, duplicates: 0, deadLettered: 1, erased: 0 });
  const unread = setAside(
    recordOf(Buffer.from('x')),
    undefined,
    FAILURE,
    () => new Batch(KNOWN, settings(), 0),
  );
  expect(unread.sources).toEqual(['']);
  expect(unread.batch.failures).toHaveLength(1);
});

test('the events of an account are by one sender, through however many webhooks they came', () => {
  const events = ['a', 'b', 'c'].map((source) => ({ ...bad(source), account: 'one' }));
  expect(run(events).sources).toEqual(['one']);
});

test('very many that fail are one letter', () => {
  const { batch } = run([good(), ...Array.from({ length: 101 }, () => bad())]);
  expect(batch.failures).toHaveLength(1);
});

test('an outage is no fault of an event', () => {
  const outage = new PipelineError('STATE_UNUSABLE', 'retry', '');
  const known: KnownState = {
    ...KNOWN,
    has: () => {
      throw outage;
    },
  };
  expect(() => run([good()], settings(), known)).toThrow(outage);
});

test('good events of every type come out of what it ships with, and a mistake shows', () => {
  expect(() => checkEvents(settings())).not.toThrow();
  const { encoders, ...others } = batchSettings();
  const broken = {
    ...encoders.complained,
    encode: () => {
      throw new TypeError('a mistake');
    },
  };
  expect(() => checkEvents({ ...others, encoders: { ...encoders, complained: broken } })).toThrow(TypeError);
});
