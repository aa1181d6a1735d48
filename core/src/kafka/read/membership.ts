import { type Backoff, backoffMs, pause } from '../../retry.ts';
import type { Logger } from '../../telemetry.ts';
import type { Brokers, RequestOptions } from '../client/brokers.ts';
import { byTopic, codesOfAll, partitionsOfAll } from '../client/offsets.ts';
import { type Coded, heartbeat, joinGroup, leaveGroup, offsetCommit, syncGroup } from '../client/requests.ts';
import {
  isFinal,
  isJoinAgain,
  isMemberIdRequired,
  isRetriable,
  isUnknownMember,
  MEMBER_ID_REQUIRED,
  problemOf,
} from '../errors.ts';
import {
  type Assigned,
  type Assigner,
  decodeAssignment,
  encodeAssignment,
  encodeMetadata,
  requireComplete,
  userDataOf,
} from './assigners.ts';

export interface MembershipOptions {
  readonly brokers: Brokers;
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly assigner: Assigner;
  /** Silence after which the group counts a member as dead. Milliseconds. */
  readonly sessionTimeoutMs: number;
  readonly log: Logger;
  /** A join begins: this member's partitions may soon be another's. Called before the request is sent. */
  onJoining(): void;
  onAssigned(assigned: Assigned, generation: Generation): void;
}

/** From one join to the next. A commit names the generation that it is for. */
export interface Generation {
  readonly id: number;
  readonly memberId: string;
}

export interface OffsetToCommit {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly metadata: string | null;
}

const HEARTBEAT_MS = 3_000;
/** Time for the other members to come to a join. */
const REBALANCE_MS = 60_000;
const JOIN_SLACK_MS = 5_000;
const RETRY_MS = 100;
const BACKOFF: Backoff = { firstMs: RETRY_MS, longestMs: 1_000 };
/** So many unforeseen errors in a row are taken before it is given up. */
const MAX_UNFORESEEN = 10;
/** A topic may get partitions. */
const TOPICS_MS = 60_000;
const LEAVE_MS = 2_000;
/** While a join waits for others, the coordinator is asked so often for a sign of life, and has so long for it. */
const PROBE_MS = 2_000;
const PROBE_ANSWER_MS = 3_000;

/**
 * A member of a consumer group. It joins until it has joined, keeps its membership while the coordinator moves (a moved coordinator knows
 * the same generation: there is nothing to join anew), and joins again only when the group says so.
 */
export class Membership {
  private readonly options: MembershipOptions;
  private memberId = '';
  private lastShare = '';
  private generation: Generation | undefined;
  private trouble: string | undefined = 'KAFKA_NOT_JOINED';
  private beaten = Promise.withResolvers<boolean>();
  private nudge = Promise.withResolvers<void>();

  constructor(options: MembershipOptions) {
    this.options = options;
  }

  /** Undefined: it is a member, and the coordinator said so lately. */
  problem(): string | undefined {
    return this.trouble;
  }

  /** Until the signal, then leaves the group. Rejects with an error that no waiting changes. */
  async run(signal: AbortSignal): Promise<void> {
    let unforeseen = 0;
    for (let failures = 0; !signal.aborted; ) {
      try {
        // A join may wait for other members for a minute; a stop does not.
        await unlessAborted(this.watched(this.join(signal)), signal);
        [unforeseen, failures] = [0, 0];
        await this.stay(signal);
      } catch (error) {
        if (signal.aborted) break;
        if (isFinal(error)) throw error;
        if (!isRetriable(error) && !isJoinAgain(error) && ++unforeseen > MAX_UNFORESEEN) throw error;
        this.report(error);
        failures += 1;
        await pause(backoffMs(failures, BACKOFF), signal);
      }
    }
    await this.leave();
  }

  /**
   * Commits for a generation of this member. Throws what the group says, also when the generation is over: then it learns soon what
   * comes next. An answer that leaves a partition out is none.
   */
  async commit({ id, memberId }: Generation, offsets: readonly OffsetToCommit[]): Promise<void> {
    const { brokers, groupId } = this.options;
    const topics = new Map<string, { partition: number; offset: string; metadata: string | null }[]>();
    for (const { topic, partition, offset, metadata } of offsets) {
      const own = topics.get(topic) ?? [];
      topics.set(topic, own);
      own.push({ partition, offset: String(offset), metadata });
    }
    const query = {
      groupId,
      memberId,
      groupGenerationId: id,
      topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })),
    };
    try {
      await brokers.toCoordinator(
        this.own(),
        offsetCommit,
        query,
        ({ responses }) => codesOfAll(byTopic(offsets), responses),
        // Not behind a join, which may wait for a minute.
        { ...this.quickly(), purpose: 'main' },
      );
    } catch (error) {
      if (isJoinAgain(error)) this.nudge.resolve();
      throw error;
    }
  }

  /** Resolves with the next word of the group: true if this member still has what it had, false if it joins anew. */
  confirmed(): Promise<boolean> {
    this.nudge.resolve();
    return this.beaten.promise;
  }

  private async join(signal: AbortSignal): Promise<void> {
    const { groupId, topics, assigner, sessionTimeoutMs, onJoining, onAssigned } = this.options;
    onJoining();
    this.generation = undefined;
    this.answerWaiting(false);
    const query = {
      groupId,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: REBALANCE_MS,
      protocolType: 'consumer',
      groupProtocols: [{ name: assigner.name, metadata: encodeMetadata(assigner, topics) }],
    };
    const ask = () =>
      this.options.brokers.toCoordinator(
        this.own(),
        joinGroup,
        { ...query, memberId: this.memberId },
        ({ errorCode, memberId }) => {
          if (errorCode === MEMBER_ID_REQUIRED) this.memberId = memberId;
          return [errorCode];
        },
        { timeoutMs: REBALANCE_MS + JOIN_SLACK_MS, purpose: 'group' },
      );
    // The group gives a name first, and wants to be told it.
    const joined = await this.asMember(() =>
      ask().catch((error) => {
        if (isMemberIdRequired(error)) return ask();
        throw error;
      }),
    );
    this.memberId = joined.memberId;
    const { generationId, leaderId, memberId, members } = joined;
    const shares = leaderId === memberId ? await this.share(members) : [];
    const { memberAssignment } = await this.asMember(() =>
      this.options.brokers.toCoordinator(
        this.own(),
        syncGroup,
        { groupId, memberId, generationId, groupAssignment: shares },
        errorCodeOf,
        { timeoutMs: REBALANCE_MS + JOIN_SLACK_MS, purpose: 'group' },
      ),
    );
    const assigned = decodeAssignment(memberAssignment);
    if (signal.aborted) return;
    this.generation = { id: generationId, memberId };
    this.trouble = undefined;
    this.logShare(assigned, generationId);
    onAssigned(assigned, this.generation);
  }

  /** Only when it has changed: a group may join again and again. */
  private logShare(assigned: Assigned, generation: number): void {
    const partitions = Object.fromEntries(
      Object.entries(assigned).map(([topic, own]) => [topic, own.toSorted((one, other) => one - other)]),
    );
    const share = JSON.stringify(partitions);
    if (share === this.lastShare) return;
    this.lastShare = share;
    this.options.log.info({ groupId: this.options.groupId, generation, partitions }, 'partitions assigned');
  }

  /** A join may take a minute, and a coordinator that hangs never answers it: only another request tells the two apart. */
  private async watched(join: Promise<void>): Promise<void> {
    const { brokers } = this.options;
    const over = new AbortController();
    const watch = async () => {
      while (!over.signal.aborted) {
        await pause(PROBE_MS, over.signal, false);
        if (!over.signal.aborted) await brokers.checkCoordinator(this.own(), PROBE_ANSWER_MS);
      }
    };
    void watch();
    try {
      await join;
    } finally {
      over.abort();
    }
  }

  /** By the leader, for all. */
  private async share(
    members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[],
  ): Promise<{ memberId: string; memberAssignment: Buffer }[]> {
    const { brokers, topics, assigner } = this.options;
    const partitions = await partitionsOfAll(brokers, topics);
    const infos = members.map((of) => ({ id: of.memberId, userData: userDataOf(of.memberMetadata) }));
    const shares = assigner.assign(infos, partitions);
    requireComplete(shares, partitions);
    return members.map(({ memberId }) => ({
      memberId,
      memberAssignment: encodeAssignment(assigner.version, shares.get(memberId) ?? []),
    }));
  }

  /** Heartbeats until the group wants a new join. Throws that, or what is final. */
  private async stay(signal: AbortSignal): Promise<void> {
    const { sessionTimeoutMs } = this.options;
    const every = Math.min(HEARTBEAT_MS, Math.floor(sessionTimeoutMs / 3));
    let heardAt = performance.now();
    let lookedAt = heardAt;
    let partitions = await this.countPartitions();
    for (let wait = every; !signal.aborted; ) {
      await this.rest(wait, signal);
      if (signal.aborted) return;
      try {
        await this.beat();
        heardAt = performance.now();
        this.trouble = undefined;
        wait = every;
        this.answerWaiting(true);
      } catch (error) {
        if (isJoinAgain(error) || !isRetriable(error)) throw error;
        // The coordinator moves, or its broker is away: it is looked for, and asked again soon.
        if (performance.now() - heardAt > sessionTimeoutMs) this.report(error);
        wait = RETRY_MS;
      }
      if (performance.now() - lookedAt < TOPICS_MS) continue;
      lookedAt = performance.now();
      const now = await this.countPartitions();
      if (now !== undefined && partitions !== undefined && now !== partitions) return;
      partitions = now ?? partitions;
    }
  }

  private async beat(): Promise<void> {
    const { brokers, groupId } = this.options;
    if (!this.generation) throw new Error('there is no generation to keep');
    const { id, memberId } = this.generation;
    await this.asMember(() =>
      brokers.toCoordinator(
        this.own(),
        heartbeat,
        { groupId, memberId, groupGenerationId: id },
        errorCodeOf,
        this.quickly(),
      ),
    );
  }

  /** Undefined where no broker says it now. */
  private async countPartitions(): Promise<number | undefined> {
    const { brokers, topics } = this.options;
    const found = await partitionsOfAll(brokers, topics, { forMs: RETRY_MS }).catch(() => undefined);
    return found?.length;
  }

  private async rest(ms: number, signal: AbortSignal): Promise<void> {
    this.nudge = Promise.withResolvers();
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    await Promise.race([pause(ms, either), this.nudge.promise]);
    over.abort();
  }

  private async leave(): Promise<void> {
    this.answerWaiting(false);
    if (this.memberId === '') return;
    const { brokers, groupId } = this.options;
    const query = { groupId, memberId: this.memberId };
    const left = brokers.toCoordinator(this.own(), leaveGroup, query, errorCodeOf, {
      timeoutMs: LEAVE_MS,
    });
    // Where the request does not arrive, the group notices after the session time-out.
    await Promise.race([left.catch(() => {}), pause(LEAVE_MS, undefined, false)]);
    this.generation = undefined;
  }

  /** One that the group does not know (any more) has no name in it. */
  private async asMember<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isUnknownMember(error)) this.memberId = '';
      throw error;
    }
  }

  private answerWaiting(still: boolean): void {
    this.beaten.resolve(still);
    this.beaten = Promise.withResolvers();
  }

  /** One log line for each kind of problem until it is over. */
  private report(error: unknown): void {
    if (isJoinAgain(error)) return;
    const code = problemOf(error);
    if (code !== this.trouble)
      this.options.log.warn({ code, err: error }, 'this member is not in its group now');
    this.trouble = code;
  }

  private own() {
    return { kind: 'group', key: this.options.groupId } as const;
  }

  private quickly(): RequestOptions {
    return { timeoutMs: Math.max(1_000, Math.floor(this.options.sessionTimeoutMs / 2)), purpose: 'group' };
  }
}

const errorCodeOf = ({ errorCode }: Coded) => [errorCode];

async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  const stop = () => aborted.resolve();
  signal.addEventListener('abort', stop);
  try {
    await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
    work.catch(() => {});
  }
}
