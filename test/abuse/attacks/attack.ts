import type { PlannedRequest, Random, WireRequest } from '@email-events/dev/simulate';
import type { Account } from '../account.ts';

/** The knowledge and the accounts of an attacker. */
export interface AttackContext {
  /** May suppress only in its account’s streams, as the configuration says. */
  readonly hostile: Account;
  /** Trusted like any other; an attacker has its keys. */
  readonly leaked: Account;
  readonly random: Random;
  /** Part of all ids that are made up. */
  readonly run: string;
  /** Another number each time. */
  next(): number;
  /** An address to which an honest account sends mail. */
  victim(): string;
  /** The next request that an ESP, this one or another, is going to send for an honest account: its content is no secret. */
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
   * The answer that the ingress must give. taken: it is genuine, so 200, or the pipeline was not attacked at all. refused: no 2xx.
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
