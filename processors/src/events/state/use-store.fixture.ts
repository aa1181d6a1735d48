import { stateCodec } from '../../testing/codecs.ts';
import { PartitionStore } from './partition-store.ts';

// Opens the store of partition-store.contract.test.ts and looks at all of it; says how that went.
const HOUR = 3_600_000;
let store: PartitionStore | undefined;
let outcome = 'fine';
try {
  const identity = { clusterId: 'c', application: 'a', partition: 3 };
  store = new PartitionStore(process.argv[2] ?? '', identity, 8 * HOUR, stateCodec());
  for (let n = 0; n < 5_000; n++) {
    if (!store.has(Buffer.from(n.toString(16).padStart(32, '0'), 'hex'))) outcome = `lost ${n}`;
  }
  for (let n = 0; n < 500; n++) if (!store.recipient(`user${n}@x.example`)) outcome = `lost user ${n}`;
} catch (error) {
  outcome = `${(error as { code?: string }).code} ${store?.isDamaged ?? ''}`;
}
await store?.close();
process.stdout.write(outcome);
