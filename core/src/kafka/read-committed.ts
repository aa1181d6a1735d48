import { createRequire } from 'node:module';

/** A message as kafkajs decodes it out of a fetch, before anything is filtered. */
export interface FetchedMessage {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly isControlRecord: boolean;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
}

export interface AbortedTransaction {
  readonly producerId: string;
  readonly firstOffset: string;
}

/**
 * Leaves out what belongs to aborted transactions. kafkajs 2.2.4 does this with two mistakes by which a consumer that
 * reads committed records is handed aborted ones: it takes the broker's list as sorted by first offset, which it is
 * not (it is in the order of the markers), and it begins at most one aborted transaction a message. Both need several
 * transactions that end at the same time, which is what happens when a broker comes back.
 */
export function withoutAborted<M extends FetchedMessage>({
  messages,
  abortedTransactions,
}: {
  readonly messages: readonly M[];
  readonly abortedTransactions?: readonly AbortedTransaction[] | null;
}): M[] {
  if (!abortedTransactions || abortedTransactions.length === 0) return [...messages];
  const waiting = abortedTransactions
    .map(({ producerId, firstOffset }) => ({ producerId, from: BigInt(firstOffset) }))
    .sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
  const aborted = new Set<string>();
  let next = 0;
  return messages.filter(({ offset, key, isControlRecord, batchContext: { producerId, inTransaction } }) => {
    for (let begun = waiting[next]; begun && begun.from <= BigInt(offset); begun = waiting[++next]) {
      aborted.add(begun.producerId);
    }
    if (isControlRecord) {
      if (isAbort(key)) aborted.delete(producerId);
      return true;
    }
    return !(inTransaction && aborted.has(producerId));
  });
}

/** Key of a control record: version, then type; 0 is an abort, 1 a commit. */
const isAbort = (key: Buffer | null) => key !== null && key.length >= 4 && key.readInt16BE(2) === 0;

const require = createRequire(import.meta.url);
const FILTER = require.resolve('kafkajs/src/consumer/filterAbortedMessages.js');
const BATCH = require.resolve('kafkajs/src/consumer/batch.js');

/** kafkajs has no seam for it, so the module is replaced. With another version, or loaded too late, this must fail at once. */
function replaceFilter(): void {
  const { version } = require('kafkajs/package.json') as { version: string };
  if (version !== '2.2.4' || require.cache[BATCH] !== undefined) {
    throw new Error(
      'kafkajs was loaded before its filter of aborted records could be replaced, or is another version',
    );
  }
  const filter: unknown = require(FILTER);
  const module = require.cache[FILTER];
  if (typeof filter !== 'function' || !module) throw new Error('kafkajs has no filter of aborted records');
  module.exports = withoutAborted;
}

replaceFilter();
