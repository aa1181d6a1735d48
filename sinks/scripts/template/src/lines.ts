import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PipelineError, type SinkRecord, type SinkVerdict } from '@email-events/core';
import { type EmailEvent, eventTypeOf } from '@email-events/schemas';

export const UNAVAILABLE = 'SINK_NDJSON_FILES_UNAVAILABLE';
export const RETRY: SinkVerdict = { outcome: 'retry', code: UNAVAILABLE };
export const NO_VALUE: SinkVerdict = {
  outcome: 'dead-letter',
  code: 'SINK_RECORD_UNREADABLE',
  message: 'the record has no value',
};

/** Undefined for a record without a value. */
export function lineOf({ topic, value }: SinkRecord<EmailEvent>): string | undefined {
  return value ? `${JSON.stringify({ ...value, type: eventTypeOf(topic) })}\n` : undefined;
}

export const takesNoFiles = (cause: unknown) =>
  new PipelineError(UNAVAILABLE, 'retry', 'the folder takes no files', { cause });

/** Makes the folder and those above it, so that a power failure takes none of them. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let made = folder; ; made = dirname(made)) {
    await syncFolder(dirname(made));
    if (made === first || made === dirname(made)) return;
  }
}

/** A new name in a folder is lost in a power failure unless the folder is synced, too. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
