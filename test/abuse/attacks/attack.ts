import type { PlannedRequest, Random, WireRequest } from '@email-events/dev/simulate';
import type { Account } from '../account.ts';

/** What somebody with bad intentions knows and has. */
export interface AttackContext {
  /** May suppress the streams of its own account, as the configuration says. */
  readonly hostile: Account;
  /** Trusted like any other; somebody else has its keys. */
  readonly leaked: Account;
  readonly random: Random;
  /** Part of all ids that are made up. */
  readonly run: string;
  /** Another number each time. */
  next(): number;
  /** An address to which an honest account sends mail. */
  victim(): string;
  /** What an honest account is about to be told by this ESP, or another one: its content is no secret. */
  ahead(): PlannedRequest | undefined;
  /** A genuine request that an honest account got from this ESP, with its signature; undefined: none yet. */
  overheard(esp: string): WireRequest | undefined;
}

/** One way to do harm. */
export interface Attack {
  readonly name: string;
  /** How often it comes, beside the others. */
  readonly share: number;
  /** ESPs whose webhooks it fits. */
  readonly esps: readonly string[];
  /**
   * What the ingress must answer. taken: it is genuine, so 200, or the pipeline was not attacked at all. refused: no 2xx.
   * any: refused or taken, as this ESP's rules are.
   */
  readonly answer: 'taken' | 'refused' | 'any';
  /** The requests of one blow, in order. None: it cannot be dealt now. */
  blow(esp: string, context: AttackContext): readonly WireRequest[];
}

/** An ESP for which nothing has to be skipped. */
export const without = (esps: readonly string[], ...left: readonly string[]) =>
  esps.filter((esp) => !left.includes(esp));

export const idOf = ({ run }: AttackContext, number: number) => `msg_${run}_${number}`;
