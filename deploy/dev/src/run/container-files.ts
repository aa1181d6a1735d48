import { readFileSync } from 'node:fs';
import { lchown, lstat, mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { REPOSITORY } from '@email-events/cli/home';
import { pipelineConfig } from '@email-events/cli/services';
import {
  applyEnvironment,
  type Env,
  FILE,
  isMarked,
  type JsonSchema,
  resolveSecret,
  SECRET,
} from '@email-events/core/config';
import type { Engine } from '../stack/containers/engine.ts';
import { type ConfigTree, type Replace, replaceValues, secretFileOf } from './local-config.ts';

/** Where the image of our services has things (deploy/images/email-events). */
export const INSIDE = {
  files: '/etc/email-events',
  config: 'pipeline.yaml',
  state: '/var/lib/email-events/state',
  spool: '/var/lib/email-events/spool',
  receiver: '/var/lib/email-events/receiver',
} as const;

export interface InsideConfig {
  readonly config: ConfigTree;
  /** The files that it names. */
  readonly files: readonly ContainerFile[];
}

/**
 * A complete configuration that loadConfig takes, as a container can read it: the environment's values are in it, and what refers to a file or
 * a variable of this machine refers to a copy, as does a secret that stands for itself. Not as variables of the
 * container, which every user of the engine sees. Throws if a secret or a file cannot be read.
 */
export function insideConfig(
  tree: ConfigTree,
  env: Env,
  schema: JsonSchema = pipelineConfig.schema.json,
): InsideConfig {
  const files: ContainerFile[] = [];
  const copyOf = (content: string) => {
    const path = `files/${files.length}`;
    files.push({ path, content });
    return `${INSIDE.files}/${path}`;
  };
  const moved: Replace = (value, place) => {
    if (typeof value !== 'string' || place === undefined) return value;
    if (isMarked(place, FILE)) return copyOf(readFileSync(value, 'utf8'));
    return isMarked(place, SECRET) ? `file:${copyOf(secretFileOf(resolveSecret(value, env)))}` : value;
  };
  const config = replaceValues(applyEnvironment(tree, env, schema) as ConfigTree, schema, moved);
  return { config: withFolders(config), files };
}

function withFolders(config: ConfigTree): ConfigTree {
  const { ingress, events } = config as { ingress?: ConfigTree; events?: ConfigTree };
  const spool = { ...(ingress?.spool as ConfigTree | undefined), dir: INSIDE.spool };
  return {
    ...config,
    ingress: { ...ingress, spool },
    events: { ...events, stateDir: INSIDE.state },
  };
}

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

export interface MountedFolder {
  /** A relative one is below the checkout, as for processes. */
  readonly source: string;
  readonly target: string;
}

export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
}

/** The image's own. */
const IMAGE_USER = { uid: 1000, gid: 1000 };
/** Group of the folders in images, for users that the image does not know. */
const GROUP_OF_ANY_USER = 0;

/**
 * The user of the services' containers: the one who runs the pipeline, so that the files are theirs; instead of root,
 * which no service needs to be, the image's user.
 */
export function userOfContainers(uid: number = process.getuid?.() ?? 0): ContainerUser {
  return uid === 0 ? IMAGE_USER : { uid, gid: GROUP_OF_ANY_USER };
}

/**
 * Makes the folder one that this user can write. Empty on an engine of another machine, which cannot mount folders of this one: what
 * a service keeps goes with its container there.
 */
export async function mountFolder(
  engine: Pick<Engine, 'local'>,
  user: ContainerUser,
  { source, target }: MountedFolder,
): Promise<MountedFolder[]> {
  if (!engine.local) return [];
  const folder = resolve(REPOSITORY, source);
  await mkdir(folder, { recursive: true });
  if (process.getuid?.() === 0) await giveTo(user, folder);
  return [{ source: folder, target }];
}

/**
 * With what processes of root may have left in it. Links are given, never followed: services write here, and one that was
 * broken into could have a file of root given to it by a link to that file.
 */
async function giveTo(user: ContainerUser, path: string): Promise<void> {
  await lchown(path, user.uid, user.gid);
  if (!(await lstat(path)).isDirectory()) return;
  for (const name of await readdir(path)) await giveTo(user, join(path, name));
}
