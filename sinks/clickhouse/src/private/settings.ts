import { pseudonymsOf } from '@email-events/core';
import type { ClickHouseConfig } from '../config.ts';
import { Hiding } from './hide.ts';
import { keysInRows } from './pseudonyms.ts';

/**
 * What new batches put in place of people, if that is wanted: by the first key. And one for each key, since a batch that was begun with it is finished
 * with it. Throws ConfigError.
 */
export function hidingsOf({ erasure, sinks }: Pick<ClickHouseConfig, 'erasure' | 'sinks'>): {
  readonly hiding: Hiding | undefined;
  readonly hidings: readonly Hiding[];
} {
  const { enabled, keep } = sinks.clickhouse.pseudonyms;
  const hidings = pseudonymsOf({ erasure }).map((by) => new Hiding(by, new Set(keep)));
  return { hiding: enabled ? hidings[0] : undefined, hidings };
}

/**
 * The keys by which rows of a recipient are asked for. Where rows name nobody, queries do not either, since a server may keep their text: then not by the
 * key itself, which rows from before have.
 */
export function keysAsked(config: Pick<ClickHouseConfig, 'erasure' | 'sinks'>, recipient: string): string[] {
  const [own = '', ...hashed] = keysInRows(recipient, pseudonymsOf(config));
  return config.sinks.clickhouse.pseudonyms.enabled ? hashed : [own, ...hashed];
}
