import { createReadStream, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { PartitionStore, type StateCodec, type StoreIdentity } from './partition-store.ts';
import { discardStore, prepareFolder, STORE_FILE, unusable } from './store-file.ts';

/** Of a fixed length, so that writing it again takes no space that a full disk would not have. */
const SEAL_BYTES = 64;
const READ_BYTES = 1_048_576;
/** A store that was in use so often without being closed well in between is given up. */
const MAX_UNSEALED_USES = 2;

/** Opens a store that may be trusted. Throws STATE_UNUSABLE: discard it; STATE_DISK_FULL: nothing is wrong with it. */
export async function openStore(
  path: string,
  identity: StoreIdentity,
  windowMs: number,
  codec: StateCodec,
): Promise<PartitionStore> {
  prepareFolder(path);
  await breakSeal(path);
  return new PartitionStore(path, identity, windowMs, codec);
}

/** Closes a store so that the next one to open it can trust it, or discards it if it is damaged. */
export async function closeStore(store: PartitionStore, path: string): Promise<void> {
  await store.close();
  if (store.isDamaged) discardStore(path);
  // Without a seal it is trusted less, and that is all.
  else await seal(path).catch(() => {});
}

const sealFile = (path: string) => `${path}/seal`;

/**
 * A closed store carries a seal with the checksum of its file, since LMDB has none: so a later change of the file is
 * noticed. While a process uses the store, the seal only counts the uses. A store whose process was killed has no checksum and is
 * trusted once, as LMDB survives that. But if the next process ends without closing it too, the store itself may be what
 * ends them, and no process would live long enough to say so.
 * Takes the store into use. Throws STATE_UNUSABLE.
 */
async function breakSeal(path: string): Promise<void> {
  const file = `${path}/${STORE_FILE}`;
  if (!existsSync(file)) {
    writeSeal(path, 'in use 1');
    return;
  }
  const [state, ...of] = readSeal(path);
  if (state === 'sealed') {
    const [bytes, sum] = of;
    const found = await checksumOf(file);
    if (bytes !== found.bytes || sum !== found.sum)
      throw unusable('the store was changed after it was closed');
    writeSeal(path, 'in use 1');
    return;
  }
  const uses = state === 'in' ? Number(of[1]) : 0;
  if (!(uses < MAX_UNSEALED_USES)) throw unusable('the store was not closed well several times in a row');
  writeSeal(path, `in use ${uses + 1}`);
}

async function seal(path: string): Promise<void> {
  const file = `${path}/${STORE_FILE}`;
  if (!existsSync(file)) return;
  const { bytes, sum } = await checksumOf(file);
  writeSeal(path, `sealed ${bytes} ${sum}`);
}

/** The words of the seal; none if there is none. */
function readSeal(path: string): string[] {
  const file = sealFile(path);
  return existsSync(file) ? readFileSync(file, 'latin1').trim().split(' ') : [];
}

function writeSeal(path: string, text: string): void {
  const file = sealFile(path);
  const bytes = `${text.padEnd(SEAL_BYTES - 1)}\n`;
  writeFileSync(file, bytes, { flag: existsSync(file) ? 'r+' : 'w' });
}

async function checksumOf(file: string): Promise<{ bytes: string; sum: string }> {
  let sum = 0;
  let bytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: READ_BYTES })) {
    sum = crc32(chunk, sum);
    bytes += chunk.length;
  }
  return { bytes: String(bytes), sum: sum.toString(16) };
}
