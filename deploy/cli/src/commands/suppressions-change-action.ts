import type { OperatorAction, Suppression } from '@email-events/schemas';
import pc from 'picocolors';
import type { Action, CommonOptions } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { formatCount, note } from '../output.ts';
import { lift, suppress } from '../suppressions/actions.ts';
import { addressesOfFile, keysOfAddresses } from '../suppressions/address.ts';
import { readStates } from '../suppressions/topic.ts';
import { visible } from '../terminal.ts';
import { openSuppressions } from './suppressions-action.ts';
import { type LiftOptions, liftNotMade, liftOfSource } from './suppressions-lift-many.ts';
import { give, type OrderedOptions, orderOf, usage } from './suppressions-order.ts';

export interface AddOptions extends OrderedOptions {
  readonly scope: string;
}

export const addAction: Action<AddOptions> = async (options, addresses) => {
  const recipients = await recipientsOf(options, addresses);
  const said = orderOf(options);
  return changeRecipients(
    options,
    recipients,
    (recipient) => suppress(recipient, options.scope, said),
    'nothing was known of',
    (state) => state !== undefined,
  );
};

export const liftAction: Action<LiftOptions> = async (options, addresses) => {
  const { source, reason = null, scope = null } = options;
  if (options.notMadeByMapping) return liftNotMade(options, addresses);
  if (source !== undefined) return liftOfSource(options, addresses, source);
  if (options.from !== undefined || options.to !== undefined || options.yesChange !== undefined)
    throw usage('--from, --to and --yes-change go with --source or --not-made-by-mapping');
  const recipients = await recipientsOf(options, addresses);
  const said = orderOf(options);
  const isMeant = (active: Suppression['reasons'][number]) =>
    (reason === null || active.reason === reason) && (scope === null || active.scope === scope);
  return changeRecipients(
    options,
    recipients,
    (recipient) => lift(recipient, { reason, scope }, said),
    'nothing of that is suppressed of',
    (state) => state?.reasons.some(isMeant) ?? false,
  );
};

const SHOWN_UNKNOWN = 20;

/** Those of whom nothing is known are named, and ordered about all the same: what says otherwise may be on its way. */
async function changeRecipients(
  options: OrderedOptions & CommonOptions,
  recipients: readonly string[],
  actionOf: (recipient: string) => OperatorAction,
  unknownText: string,
  isKnown: (state: Suppression | undefined) => boolean,
): Promise<ExitCode> {
  const from = await openSuppressions(options);
  const states = await readStates(from, { recipients: new Set(recipients) });
  const unknown = recipients.filter((recipient) => !isKnown(states.get(recipient)));
  if (!options.json && unknown.length > 0) {
    const shown = unknown.slice(0, SHOWN_UNKNOWN).join(', ');
    const more =
      unknown.length > SHOWN_UNKNOWN ? ` and ${formatCount(unknown.length - SHOWN_UNKNOWN)} more` : '';
    note(pc.yellow(visible(`${unknownText} ${shown}${more}`)));
  }
  return give(options, from, recipients.map(actionOf), { unknown });
}

async function recipientsOf({ file }: OrderedOptions, addresses: readonly string[]): Promise<string[]> {
  const listed = file === undefined ? [] : await addressesOfFile(file);
  const all = keysOfAddresses([...addresses, ...listed]);
  if (all.length === 0) throw usage('name addresses, or a file with --file');
  return all;
}
