import { BehindPace } from './behind-pace.ts';
import type { Announcing, CallPace, PublishedPace, RateHeaders } from './capabilities.ts';
import { paceOf, SharedPace } from './pace.ts';
import { accountOf, type ConfiguredCrm, crmOf } from './settings.ts';

/** The pace of one of several consumers that call the same account. */
export class MemberPace implements CallPace {
  private readonly account: AccountPace;
  /** Of the partitions in its own group. */
  share: number | undefined = 1;

  constructor(account: AccountPace) {
    this.account = account;
  }

  get headers(): RateHeaders {
    return this.account.pace.headers;
  }

  get callsPerSecond(): number {
    return this.account.pace.callsPerSecond;
  }

  /** Whether urgent calls wait for their turn now. */
  get isWaiting(): boolean {
    return this.account.pace.isWaiting;
  }

  /** By which its calls are reserved. */
  get own(): CallPace {
    return this.account.pace;
  }

  /** A part of the limit, for calls behind all others. */
  behind(part: number): BehindPace {
    return new BehindPace(this, this.account.published, part);
  }

  setShare(share: number | undefined): void {
    this.share = share;
    this.account.follow();
  }

  run<T extends Announcing>(call: () => Promise<T>, signal: AbortSignal, kind?: string): Promise<T> {
    return this.account.pace.run(call, signal, kind);
  }

  together<T>(calls: number, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.account.pace.together(calls, work, signal);
  }
}

/**
 * The pace of an account over all consumers that call it: they are on every instance, each with a share of its own group, so that the mean of
 * these is the instance's share of the account. One whose partitions move has none meanwhile.
 */
class AccountPace {
  readonly pace: SharedPace;
  readonly published: PublishedPace;
  private readonly members: MemberPace[] = [];

  constructor(published: PublishedPace) {
    this.published = published;
    this.pace = new SharedPace({ published, now: Date.now });
  }

  join(): MemberPace {
    const member = new MemberPace(this);
    this.members.push(member);
    return member;
  }

  follow(): void {
    const known = this.members.flatMap(({ share }) => share ?? []);
    const sum = known.reduce((all, share) => all + share, 0);
    this.pace.setShare(known.length === 0 ? undefined : sum / this.members.length);
  }
}

/**
 * The pace of each CRM, by its consumer; none for one without a limit. They are there for as long as the process is: a consumer that is
 * started again has made its calls all the same.
 */
export function pacesOf(crms: readonly ConfiguredCrm[]): ReadonlyMap<string, MemberPace> {
  const accounts = new Map<string, AccountPace>();
  const paces = new Map<string, MemberPace>();
  for (const { consumer, settings, path } of crms) {
    const crm = crmOf(settings, path);
    const published = paceOf(crm.facts.pace, settings.callsPerSecond);
    if (!published) continue;
    const of = accountOf(crm, settings);
    const account = accounts.get(of) ?? new AccountPace(published);
    accounts.set(of, account);
    paces.set(consumer, account.join());
  }
  return paces;
}
