import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ComponentName } from '../stack.ts';

/** One container of the stack: what it is made of and how to tell that it works. */
export interface ContainerSpec {
  /** Also its host name in the stack's network. */
  readonly name: ComponentName;
  readonly image: string;
  readonly env: Readonly<Record<string, string>>;
  readonly publish: readonly PublishedPort[];
  /** Folder in the container where the component keeps its data. */
  readonly dataFolder: string;
  /** Files of this checkout that it gets: path here, path there. */
  readonly copy: readonly { readonly source: string; readonly target: string }[];
  /** Whether it answers a real request now. Asked again and again until it does. */
  answers(): Promise<boolean>;
  readonly startDeadlineMs: number;
  /** How long it may take to end after SIGTERM before it is killed. */
  readonly stopDeadlineMs: number;
  /** Called with each SIGTERM. The answer says whether waiting any longer leads to nothing, so that it is killed then. */
  ending?(): () => Promise<boolean>;
}

export interface PublishedPort {
  readonly container: number;
  readonly host: number;
}

/** Names that a setting has as a variable: `offsets.topic.num.partitions` is `OFFSETS_TOPIC_NUM_PARTITIONS`. */
export function variablesOf(
  settings: Readonly<Record<string, string | number | boolean>>,
  prefix = '',
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      `${prefix}${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`,
      String(value),
    ]),
  );
}

/** Changes with anything that makes the container another one. `imageId`: a name may come to stand for another image. */
export function keyOf(spec: ContainerSpec, imageId: string): string {
  const hash = createHash('sha256').update(JSON.stringify([spec, imageId]));
  for (const { source } of spec.copy) hash.update(createHash('sha256').update(readFileSync(source)).digest());
  return hash.digest('hex').slice(0, 16);
}
