import { PipelineError } from '@email-events/core/errors';
import { counted, formatCount } from './output.ts';

/** Throws CLI_CHANGE_DIFFERS: what would change is not what the operator was shown. */
export function requireCount(found: number, wanted: number, what: string): void {
  if (found === wanted) return;
  const message = `${counted(found, what)} would change, --yes-change says ${formatCount(wanted)}; nothing was changed`;
  throw new PipelineError('CLI_CHANGE_DIFFERS', 'reject', message);
}

export const usage = (message: string) => new PipelineError('CLI_USAGE', 'reject', message);
