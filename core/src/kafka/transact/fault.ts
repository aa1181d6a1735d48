import { CodecError } from '@email-events/schemas';
import { PipelineError } from '../../errors.ts';

/** What a broker says of what was sent, whatever its own state is. */
const OF_OUTPUTS: ReadonlySet<unknown> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
]);

/**
 * Whether the work on records failed because of what they are, or of how it is programmed, rather than because something else is
 * away. Errors with a code are somebody's answer (registry, disk, network, store) and may pass; those of the language, of
 * Node's argument checks (ERR_…), and whatever says nothing of itself will be the same next time.
 */
export function isOfRecords(error: unknown): boolean {
  if (error instanceof PipelineError) return error.disposition === 'deadletter';
  if (error instanceof CodecError || typeof error !== 'object' || error === null) return true;
  const { code, type, cause } = error as { code?: unknown; type?: unknown; cause?: unknown };
  if (OF_OUTPUTS.has(type)) return true;
  // fetch gives a TypeError around what the network said.
  if (cause !== undefined && cause !== null) return isOfRecords(cause);
  if (typeof code === 'string') return code.startsWith('ERR_');
  return code === undefined && type === undefined;
}

/** Of an error out of a transaction: only a broker's word counts. The client's own surprises come with outages. */
export function isOfOutputs(error: unknown): boolean {
  return OF_OUTPUTS.has((error as { type?: unknown } | null)?.type);
}
