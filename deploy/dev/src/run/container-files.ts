/** A file that a container gets. */
export interface ContainerFile {
  /** From the folder that it is unpacked in; no slash at the beginning. */
  readonly path: string;
  readonly content: string;
}

const BLOCK = 512;
const REGULAR_FILE = '0';
const READ_BY_OWNER = 0o400;
/** Offsets and lengths of the fields of a header (POSIX.1-1988, ustar). */
const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  magic: [257, 6],
  version: [263, 2],
} as const;

/**
 * Files as the tar that the engine unpacks in a container; only `uid` may read them there. In memory, since some are
 * secrets: the tools for it want files to begin with.
 */
export function packFiles(files: readonly ContainerFile[], uid: number, gid: number): Buffer {
  const parts = files.flatMap(({ path, content }) => {
    const body = Buffer.from(content);
    const padding = Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK);
    return [header(path, body.length, uid, gid), body, padding];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header(name: string, size: number, uid: number, gid: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const put = (field: keyof typeof FIELDS, text: string) => {
    const [offset, length] = FIELDS[field];
    if (Buffer.byteLength(text) > length) throw new RangeError(`${field} is too long for a tar: ${text}`);
    block.write(text, offset);
  };
  const octal = (field: 'mode' | 'uid' | 'gid' | 'size' | 'mtime', value: number) =>
    put(field, value.toString(8).padStart(FIELDS[field][1] - 1, '0'));
  put('name', name);
  octal('mode', READ_BY_OWNER);
  octal('uid', uid);
  octal('gid', gid);
  octal('size', size);
  octal('mtime', Math.floor(Date.now() / 1_000));
  put('type', REGULAR_FILE);
  put('magic', 'ustar\0');
  put('version', '00');
  // Counted with spaces where the sum itself will be.
  put('checksum', ' '.repeat(FIELDS.checksum[1]));
  const sum = block.reduce((total, byte) => total + byte, 0);
  put('checksum', `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}
