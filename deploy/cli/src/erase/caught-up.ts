import { setTimeout as delay } from 'node:timers/promises';
import { lagSince } from '@email-events/core';
import { consumerGroups, type PipelineConfig, type ServiceName } from '../services.ts';

const LOOK_MS = 500;

/**
 * Whether the consumers of a service (`group`: one of them) have written all that was there at a time, which it waits for until the signal
 * ends it. Without such a consumer there is nothing to wait for.
 */
export async function hasWritten(
  config: PipelineConfig,
  { service, group }: { readonly service: ServiceName; readonly group?: string },
  before: number,
  signal: AbortSignal,
): Promise<boolean> {
  const groups = consumerGroups(config).filter(
    (each) => each.service === service && (group === undefined || each.group === group),
  );
  for (const each of groups) {
    while ((await lagSince(config.kafka, each, before)).length > 0) {
      if (signal.aborted) return false;
      await delay(LOOK_MS, undefined, { signal }).catch(() => {});
    }
  }
  return !signal.aborted;
}
