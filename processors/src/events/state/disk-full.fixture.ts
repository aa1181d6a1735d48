import { stateCodec } from '../../testing/codecs.ts';
import { closeStore, openStore } from './seal.ts';

// Fills the store of seal-like tests batch by batch until its disk takes no more, goes on trying for a while, and says
// what it has then. Run with a limit on the size of files, which looks to LMDB like a disk that is full.
const path = process.argv[2] ?? '';
const HOUR = 3_600_000;
const identity = { clusterId: 'c', application: 'a', partition: 3 };
const idOf = (n: number) => Buffer.from(n.toString(16).padStart(32, '0'), 'hex');

const store = await openStore(path, identity, 8 * HOUR, stateCodec());
const codes: string[] = [];
let applied = 0;
for (let batch = 0; codes.length < 5 && batch < 1_000; batch++) {
  const { positions, totals } = store;
  const ids = Array.from({ length: 1_000 }, (_, i) => idOf(applied * 1_000 + i));
  const to = { ...positions, seen: positions.seen + 2 };
  const received = totals.received + ids.length;
  try {
    const change = { seenAt: 1_800_000_000_000, bytes: Buffer.concat(ids) };
    store.apply({
      from: positions,
      to,
      totals: { ...totals, received },
      ids: [change],
      recipients: new Map(),
    });
    applied++;
  } catch (error) {
    codes.push((error as { code: string }).code);
  }
}
const known = Array.from({ length: (applied + 1) * 1_000 }, (_, n) => n).filter((n) =>
  store.has(idOf(n)),
).length;
const { totals, positions, isDamaged } = store;
await closeStore(store, path);
process.stdout.write(
  JSON.stringify({ codes, applied, known, received: totals.received, positions, isDamaged }),
);
