import { userInfo } from 'node:os';
import { PipelineError } from '@email-events/core';
import type { OperatorAction } from '@email-events/schemas';
import type { CommonOptions } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { counted, formatCount, print, printJson, progress } from '../output.ts';
import type { Order, SaidBySource } from '../suppressions/actions.ts';
import { order } from '../suppressions/order.ts';
import type { Suppressions } from '../suppressions/topic.ts';
import { renderOrdered } from './suppressions-render.ts';

export interface OrderedOptions {
  readonly why: string;
  readonly by?: string;
  /** Seconds; false: not at all. */
  readonly wait: number | boolean;
  readonly file?: string;
}

/** Writes the orders, waits for them as wished, and says what came of them. */
export async function give(
  options: OrderedOptions & CommonOptions,
  from: Suppressions,
  actions: readonly OperatorAction[],
  about: { readonly unknown?: readonly string[]; readonly already?: number },
): Promise<ExitCode> {
  const { json, wait } = options;
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort()).once('SIGTERM', () => abort.abort());
  const waited = wait !== false;
  const result = await order({
    ...from,
    actions,
    waitMs: waited ? Number(wait) * 1_000 : 0,
    signal: abort.signal,
    onProgress: ({ ordered, changed, unchanged }) => {
      if (!json) progress(`${formatCount(changed + unchanged)} of ${counted(ordered, 'order')} taken`);
    },
  });
  const pending = result.ordered - result.changed - result.unchanged;
  if (json) printJson({ dryRun: false, ...result, pending, ...about });
  else print(renderOrdered(result, actions.length, { waited, already: about.already ?? 0 }));
  if (abort.signal.aborted) return EXIT.interrupted;
  return waited && pending > 0 ? EXIT.failed : EXIT.ok;
}

export function orderOf({ by, why }: Pick<OrderedOptions, 'by' | 'why'>): Order {
  return { by: by ?? systemUser(), at: Date.now(), why };
}

/** In a container a user may have a number only. */
function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

/** Epoch milliseconds. Throws CLI_USAGE. */
export function rangeOf(source: string, from: number | undefined, to: number | undefined): SaidBySource {
  if (from === undefined || to === undefined) throw usage('--source needs --from and --to');
  if (from >= to) throw usage('--from must be before --to');
  return { source, from, to };
}

/** Throws CLI_CHANGE_DIFFERS: what would change is not what the operator was shown. */
export function requireCount(found: number, wanted: number, what: string): void {
  if (found === wanted) return;
  const message = `${counted(found, what)} would change, --yes-change says ${formatCount(wanted)}; nothing was changed`;
  throw new PipelineError('CLI_CHANGE_DIFFERS', 'reject', message);
}

export const usage = (message: string) => new PipelineError('CLI_USAGE', 'reject', message);
