import type { Sink, SinkRecord } from '@email-events/core';
import { CodecError } from '@email-events/schemas';
import { afterEach, describe, expect, test } from 'vitest';

/** A sink under test and what there is to see behind it. */
export interface OpenSink<R> {
  readonly sink: Sink<R>;
  /** The records that arrived, one text each: the one that `good` was made with. */
  rows(): Promise<string[]>;
  /** Makes the system behind the sink unreachable; `mend` makes it reachable again. */
  breakDown(): Promise<void>;
  mend(): Promise<void>;
  /** Releases all that the test set up. The sink is closed already. */
  dispose(): Promise<void>;
}

export interface SinkSubject<R> {
  open(): Promise<OpenSink<R>>;
  /** A record that the sink takes; it shows up in `rows` as its text. */
  good(text: string): SinkRecord<R>;
  /** A record that the sink can never take. */
  bad(): SinkRecord<R>;
}

/** The behaviour on which the runner relies. Every sink must pass it. */
export function sinkContract<R>(name: string, subject: SinkSubject<R>): void {
  describe(`${name} keeps the sink contract`, () => {
    const opened: OpenSink<R>[] = [];
    const { signal } = new AbortController();
    const open = async () => {
      const subjectUnderTest = await subject.open();
      opened.push(subjectUnderTest);
      return subjectUnderTest;
    };
    const goods = (...texts: string[]) => texts.map(subject.good);

    afterEach(async () => {
      for (const { sink, dispose } of opened.splice(0)) {
        await sink.close();
        await dispose();
      }
    });

    test('check passes when it works and leaves nothing behind', async () => {
      const { sink, rows } = await open();
      await sink.check(signal);
      await sink.check(signal);
      expect(await rows()).toEqual([]);
    });

    test('an empty batch is no work', async () => {
      const { sink, rows } = await open();
      expect(await sink.write({ id: 'empty', records: [] }, signal)).toEqual([]);
      expect(await rows()).toEqual([]);
    });

    test('every record of a batch arrives, with a verdict each in the same order', async () => {
      const { sink, rows } = await open();
      const verdicts = await sink.write({ id: 'one', records: goods('a', 'b', 'c') }, signal);
      expect(verdicts.map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered', 'delivered']);
      expect((await rows()).sort()).toEqual(['a', 'b', 'c']);
    });

    test('one bad record is refused and the others arrive', async () => {
      const { sink, rows } = await open();
      const records = [subject.good('a'), subject.bad(), subject.good('c')];
      const verdicts = await sink.write({ id: 'mixed', records }, signal);
      expect(verdicts.map(({ outcome }) => outcome)).toEqual(['delivered', 'dead-letter', 'delivered']);
      expect(await sink.write({ id: 'mixed', records }, signal)).toEqual(verdicts);
      expect((await rows()).sort()).toEqual(['a', 'c']);
    });

    test('the same batch again leaves one row a record', async () => {
      const { sink, rows } = await open();
      for (let n = 0; n < 3; n++) await sink.write({ id: 'again', records: goods('a', 'b') }, signal);
      await sink.write({ id: 'proof', records: goods('c') }, signal);
      await sink.write({ id: 'again', records: goods('a', 'b') }, signal);
      expect((await rows()).sort()).toEqual(['a', 'b', 'c']);
    });

    test('the same batch by two owners at the same time leaves one row a record', async () => {
      const { sink, rows } = await open();
      const records = goods('a', 'b');
      const writes = Array.from({ length: 6 }, () => sink.write({ id: 'race', records }, signal));
      await Promise.all(writes);
      expect((await rows()).sort()).toEqual(['a', 'b']);
    });

    test('cut into pieces, every record is in one, and each piece again leaves one row a record', async () => {
      const { sink, rows } = await open();
      const records = [...goods('a', 'b', 'c'), subject.bad()];
      expect(sink.prepare !== undefined).toBe(sink.cut !== undefined);
      // One that is not cut has nothing to show.
      const cut = await sink.prepare?.(records, sink.cut);
      if (!cut) return;
      const again = (await sink.prepare?.(records, sink.cut)) ?? [];
      expect(await rows()).toEqual([]);
      expect(cut.flatMap(({ indexes }) => indexes).sort()).toEqual([0, 1, 2, 3]);
      expect(again.map(({ key, indexes }) => [key, indexes])).toEqual(
        cut.map(({ key, indexes }) => [key, indexes]),
      );
      for (const piece of [...cut, ...again]) {
        const verdicts = await piece.write(`cut/${piece.key}`, signal);
        expect(verdicts.map(({ outcome }) => outcome)).toEqual(
          piece.indexes.map((index) => (index === 3 ? 'dead-letter' : 'delivered')),
        );
      }
      expect((await rows()).sort()).toEqual(['a', 'b', 'c']);
      await expect(sink.prepare?.(records, 'unheard-of')).rejects.toMatchObject({ code: 'SINK_CUT_UNKNOWN' });
    });

    test('what it says of itself holds: its example is taken, every record has a source', async () => {
      const { sink, rows } = await open();
      if (sink.example) expect(await sink.prepare?.([sink.example], sink.cut)).toHaveLength(1);
      for (const record of goods('a', 'b')) expect(typeof (sink.sourceOf?.(record) ?? '')).toBe('string');
      expect(await rows()).toEqual([]);
    });

    test('a value that cannot be read is thrown while nothing is written', async () => {
      const { sink, rows } = await open();
      const unreadable: SinkRecord<R> = {
        ...subject.good('x'),
        get value(): R | null {
          throw new CodecError('VALUE_UNREADABLE', 'broken');
        },
      };
      const records = [subject.good('a'), unreadable];
      await expect(sink.write({ id: 'unreadable', records }, signal)).rejects.toThrow(CodecError);
      expect(await rows()).toEqual([]);
      await sink.write({ id: 'unreadable', records: goods('a') }, signal);
      expect(await rows()).toEqual(['a']);
    });

    test('while it is down nothing is refused for good; afterwards the same batch arrives once', async () => {
      const { sink, rows, breakDown, mend } = await open();
      const batch = { id: 'outage', records: goods('a', 'b') };
      await breakDown();
      await expect(sink.check(signal)).rejects.toThrow();
      const outcome = await sink.write(batch, signal).then(
        (verdicts) => verdicts.every((verdict) => verdict.outcome === 'retry'),
        () => true,
      );
      expect(outcome).toBe(true);
      await mend();
      await sink.check(signal);
      const verdicts = await sink.write(batch, signal);
      expect(verdicts.map((verdict) => verdict.outcome)).toEqual(['delivered', 'delivered']);
      expect((await rows()).sort()).toEqual(['a', 'b']);
    });

    test('it can be closed twice', async () => {
      const { sink } = await open();
      await sink.close();
    });
  });
}
