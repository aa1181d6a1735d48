import { createLogger } from '@email-events/core';
import { Spool } from '../spool.ts';
import { bodyOf } from './store.ts';

// A process that spools requests until it is killed, and says which of them it has answered: `in NAME` on its standard
// output. With `drain` it also takes some out again, as if Kafka had them: `out NAME`, before the spool hears of it.
const [dir = '', name = '', drains] = process.argv.slice(2);
const log = createLogger('writer', 'error');
const say = (line: string) => process.stdout.write(`${line}\n`);
const spool = await Spool.start({ dir, maxBytes: 1e9, log });
let next = 0;

async function send(): Promise<void> {
  for (;;) {
    const id = `${name}-${next++}`;
    // Every fourth is larger than a page of the file.
    const bytes = next % 4 === 0 ? 30_000 : 500;
    await spool.append({ value: bodyOf(id, bytes), headers: { 'request-id': Buffer.from(id) } });
    say(`in ${id}`);
  }
}

async function drain(): Promise<void> {
  for (;;) {
    const batch = await spool.next(5, 50_000);
    if (!batch) {
      await spool.appended();
      continue;
    }
    for (const { headers } of batch.records) say(`out ${JSON.parse(headers)['request-id']}`);
    await spool.settle(
      batch.spool,
      batch.records.map(({ seq }) => seq),
      [],
    );
  }
}

if (drains === 'drain') void drain();
await Promise.all([send(), send(), send(), send(), send(), send()]);
