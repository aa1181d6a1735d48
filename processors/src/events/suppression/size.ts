import type {
  AccountState,
  Evidence,
  OperatorWord,
  RecipientState,
  SuppressionReason,
} from '@email-events/schemas';

// Upper bounds of what Avro takes, in bytes. A number takes 8 at most, a list 3 more than what is in it as long as it is short,
// and a text 3 more than its characters.
const NUMBER = 8;
const LIST = 6;
const text = (value: string | null) => 4 + (value === null ? 0 : Buffer.byteLength(value));
const sum = <T>(list: readonly T[], bytesOf: (each: T) => number) => {
  let bytes = LIST;
  for (const each of list) bytes += bytesOf(each);
  return bytes;
};

/** Upper bound of what a state takes in a record, bytes. What was written before accounts were told apart does not count. */
export const stateBytes = ({ accounts, words }: RecipientState): number =>
  6 * LIST + NUMBER + sum(accounts, entryBytes) + sum(words, wordBytes);

const entryBytes = (entry: AccountState): number =>
  text(entry.account) +
  NUMBER +
  sum(entry.hard_bounces, evidenceBytes) +
  sum(entry.complaints, evidenceBytes) +
  sum(entry.soft_bounces, evidenceBytes) +
  sum(
    entry.scopes,
    ({ scope, unsubscribes, subscribes }) =>
      text(scope) + sum(unsubscribes, evidenceBytes) + sum(subscribes, evidenceBytes),
  );

const evidenceBytes = ({ esp, source, event_id, detail }: Evidence): number =>
  2 * NUMBER + text(esp) + text(source) + text(event_id) + text(detail);

const wordBytes = ({ kind, action_id, by, why, reason, scope, source }: OperatorWord): number =>
  4 * NUMBER +
  [kind, action_id, by, why, reason, scope, source].reduce((bytes, each) => bytes + text(each), 0);

/** Upper bound of what reasons take in a record of email.suppressions, bytes. */
export const reasonsBytes = (reasons: readonly SuppressionReason[]): number =>
  sum(
    reasons,
    ({ reason, scope, esp, source, event_id, detail, account }) =>
      NUMBER +
      [reason, scope, esp, source, event_id, detail, account].reduce((bytes, each) => bytes + text(each), 0),
  );
