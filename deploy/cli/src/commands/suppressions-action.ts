import type { Suppression } from '@email-events/schemas';
import { Codec } from '@email-events/schemas';
import { type Action, type CommonOptions, loadPipelineConfig } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { counted, formatCount, note, print, printJson, printLines, progress } from '../output.ts';
import { keysOfAddresses } from '../suppressions/address.ts';
import { readActions, readState, readStates, type Suppressions } from '../suppressions/topic.ts';
import { jsonText } from '../terminal.ts';
import { registrySettings } from './schemas-action.ts';
import {
  actionJson,
  type ListedReason,
  reasonJson,
  renderReasons,
  renderStory,
} from './suppressions-render.ts';

export type GetOptions = object;

export interface ListOptions {
  readonly reason?: string;
  readonly scope?: string;
  readonly source?: string;
  readonly esp?: string;
  readonly since?: number;
  readonly limit: number;
  readonly ndjson: boolean;
}

/** Exit code 0 whatever the answer: a state is no failure. */
export const getAction: Action<GetOptions> = async (options, [address = '']) => {
  const [recipient = ''] = keysOfAddresses([address]);
  const from = await openSuppressions(options);
  const [state, actions] = await Promise.all([readState(from, recipient), readActions(from, recipient)]);
  const story = { recipient, state, actions };
  if (options.json) {
    printJson({
      recipient,
      known: state !== undefined,
      suppressed: state?.suppressed ?? false,
      reasons: state?.reasons.map(reasonJson) ?? [],
      changedAt: state ? new Date(state.changed_at).toISOString() : null,
      changedBy: state?.event_id ?? null,
      revision: state?.revision ?? null,
      actions: actions.map(actionJson),
    });
  } else print(renderStory(story));
  return EXIT.ok;
};

export const listAction: Action<ListOptions> = async (options) => {
  const from = await openSuppressions(options);
  const isMeant = matcher(options);
  const states = await readStates(from, {
    wanted: ({ reasons }) => reasons.some(isMeant),
    ...(options.json || options.ndjson
      ? {}
      : { onProgress: (records: number) => progress(`${counted(records, 'record')} read`) }),
  });
  if (options.ndjson) {
    for (const state of states.values()) {
      const lines = listed(state, isMeant).map((reason) => `${jsonText(listedJson(reason))}\n`);
      await printLines(lines.join(''));
    }
    return EXIT.ok;
  }
  const all = [...states.values()]
    .flatMap((state) => listed(state, isMeant))
    .sort((a, b) => b.since - a.since);
  const shown = all.slice(0, options.limit);
  if (options.json) printJson({ total: all.length, recipients: states.size, reasons: shown.map(listedJson) });
  else {
    print(await renderReasons(shown));
    const total = `${counted(all.length, 'active reason')} of ${counted(states.size, 'recipient')}`;
    note(
      shown.length < all.length
        ? `the newest ${formatCount(shown.length)} of ${total}; --limit shows more`
        : total,
    );
  }
  return EXIT.ok;
};

function matcher({ reason, scope, source, esp, since }: ListOptions) {
  return (active: Suppression['reasons'][number]): boolean =>
    (reason === undefined || active.reason === reason) &&
    (scope === undefined || active.scope === scope) &&
    (source === undefined || active.source === source) &&
    (esp === undefined || active.esp === esp) &&
    (since === undefined || active.since >= since);
}

const listed = (
  { recipient, reasons }: Suppression,
  isMeant: (reason: Suppression['reasons'][number]) => boolean,
): ListedReason[] => reasons.filter(isMeant).map((reason) => ({ recipient, ...reason }));

const listedJson = ({ recipient, ...reason }: ListedReason) => ({ recipient, ...reasonJson(reason) });

export async function openSuppressions(options: CommonOptions): Promise<Suppressions> {
  const config = await loadPipelineConfig(options);
  return { config, codec: new Codec(registrySettings(config)) };
}
