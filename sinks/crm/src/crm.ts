import { isDeepStrictEqual } from 'node:util';
import { type ConfigProblem, Secret } from '@email-events/core';
import type { Suppression } from '@email-events/schemas';
import { z } from 'zod';
import type { CallPace, CrmCapabilities, PublishedPace } from './capabilities.ts';
import type { CrmConfig } from './config.ts';
import type { EngagementAdapter, EngagementFields } from './engagement.ts';
import { CrmError, type CrmFailure } from './errors.ts';
import type { CrmRequest } from './http-client.ts';
import { RecipientTurns } from './recipient-turns.ts';

/** A CRM as configured: sinks.crm, or one of its `others`. `url`, `secrets` and `options` are the CRM's to judge, everything else is the same for all. */
export type CrmSettings = Omit<NonNullable<CrmConfig['sinks']['crm']>, 'adminPort' | 'others'>;

/**
 * The states of a recipient: suppressed for all mail, by reason; off some mail only (of a stream, or of an account); no reason left.
 */
export const RECIPIENT_STATES = [
  'hard_bounce',
  'complaint',
  'unsubscribe',
  'soft_bounces',
  'manual',
  'stream',
  'lifted',
] as const;

export type RecipientStateName = (typeof RECIPIENT_STATES)[number];

export interface StateFacts {
  /**
   * suppresses: the CRM mails the recipient no more. allows: it may mail, even if it held the recipient as suppressed before. leaves: the
   * CRM's entry for the recipient stays as it is.
   */
  readonly effect: 'suppresses' | 'allows' | 'leaves';
  /** How, in the CRM's words. */
  readonly how: string;
}

/** What becomes of an address in a CRM that has erased its contact. */
export interface ErasingFacts {
  /**
   * blocked: the CRM itself keeps the address from being imported as one that is mailed. mailable: whoever imports it mails it, since the
   * opt-out went with the contact. Where the vendor does not say, the latter.
   */
  readonly after: 'blocked' | 'mailable';
  /** In the CRM's words, and what is not erased there. */
  readonly how: string;
  /** What the credentials must be allowed beyond `scopes`. */
  readonly scopes?: readonly string[];
}

/** Shown in the README's tables; the contract suite holds the adapter to them. */
export interface CrmFacts {
  readonly states: { readonly [N in RecipientStateName]: StateFacts };
  /** The CRM keeps each reason with its scope; else no more than whether it may mail. */
  readonly keepsReasons: boolean;
  /** An older state that arrives after a newer one changes nothing: the CRM can tell. */
  readonly newerStays: boolean;
  /** Calls that the CRM takes in a time, as documented. */
  readonly limits: string;
  readonly limitations: readonly string[];
  /** What else it does, and how. */
  readonly capabilities?: CrmCapabilities;
  /** What the credentials must be allowed to do, as the CRM calls it: scopes, permissions. */
  readonly scopes?: readonly string[];
  /** Of a CRM in which contacts can be erased (`capabilities.eraseContacts`). */
  readonly erasing?: ErasingFacts;
  /** All that it has of a recipient is the suppression: who erases her there lets her be mailed again. */
  readonly isSuppressionList?: true;
  /**
   * Whose calls count together: of whoever calls an address, which each account has for itself, or of whoever has the credentials. Default:
   * the latter.
   */
  readonly account?: 'address' | 'credentials';
  /** `limits` as figures, by which the sink paces its calls. Left out: it makes them as fast as they are answered. */
  readonly pace?: PublishedPace;
  /**
   * A state that suppresses nothing makes the CRM mail also those who opted out in the CRM itself, and why that cannot be told apart. Left
   * out: only what this pipeline wrote is undone, which the contract proves of a harness that has `optOut`.
   */
  readonly undoesOptOuts?: string;
}

/** The part of sinks.crm that is the CRM's own: `crmAddress` and `crmSecrets` make the first two, `options` is a strict object. */
export type AccessSchema = z.ZodObject<{
  url: z.ZodType<string>;
  secrets: z.ZodType<Secret[]>;
  options: z.ZodObject;
}>;

/** The facts of a CRM that does the same for every reason to mail a recipient no more. */
export const forEveryReason = (facts: StateFacts) => ({
  ...{ hard_bounce: facts, complaint: facts, unsubscribe: facts, soft_bounces: facts, manual: facts },
});

/** Passed to an adapter besides its settings. */
export interface CallLimits {
  /** For a call to be answered. Milliseconds. */
  readonly timeoutMs: number;
  /** Recipients written at a time. */
  readonly concurrency: number;
  readonly now: () => number;
  /** To be handed to each HttpClient, so that every call counts. */
  readonly pace?: CallPace;
  /** To be handed to each HttpClient: what would be written is told to it, and not made. */
  readonly plan?: (request: CrmRequest) => void;
}

/** Describes a CRM to the rest of the package. One file in `adapters` exports it. */
export interface CrmDefinition<S extends AccessSchema = AccessSchema> {
  /** Value of sinks.crm.kind; the name of the file. */
  readonly name: string;
  readonly title: string;
  /** Pages that the facts are from. */
  readonly documentation: readonly [string, ...string[]];
  readonly settings: S;
  readonly facts: CrmFacts;
  /** Opens nothing yet. */
  connect(settings: z.output<S>, limits: CallLimits): CrmAdapter;
  /** Where it can be told of engagement (`capabilities.engagement`). */
  readonly engagement?: EngagementDefinition<S>;
}

/** `turns`: for a CRM in which a write replaces what another writes. */
export type EngagementLimits = CallLimits & { readonly turns: RecipientTurns };

export interface EngagementDefinition<S extends AccessSchema> {
  /** What the credentials must be allowed beyond `facts.scopes`. */
  readonly scopes?: readonly string[];
  /** What the settings lack for it. */
  problem?(settings: z.output<S>): ConfigProblem | undefined;
  connect(settings: z.output<S>, limits: EngagementLimits, names: EngagementFields): EngagementAdapter;
}

/** A CRM of the registry. */
export interface Crm extends Omit<CrmDefinition, 'connect' | 'engagement'> {
  /** Problems of the settings, with full paths: `path` is where they are, default sinks.crm. Messages never show a value. */
  problems(settings: CrmSettings, path?: string): ConfigProblem[];
  /** Throws ZodError on settings that have problems. */
  connect(settings: CrmSettings, now: () => number, pace?: CallPace, plan?: CallLimits['plan']): CrmAdapter;
  /** What the credentials need for engagement besides; undefined: the CRM cannot be told of it. */
  readonly engagementScopes: readonly string[] | undefined;
  /** The same for engagement, with calls of its own. Throws ZodError; undefined: it is not configured, or cannot be told. */
  connectEngagement(
    settings: CrmSettings,
    now: () => number,
    pace?: CallPace,
    turns?: RecipientTurns,
  ): EngagementAdapter | undefined;
}

/** Binds a CRM's adapter to the schema of its settings. */
export function defineCrm<S extends AccessSchema>(definition: CrmDefinition<S>): Crm {
  const { name, title, documentation, settings: schema, facts, engagement } = definition;
  const limitsOf = ({ timeoutMs, concurrency }: CrmSettings, now: () => number, pace?: CallPace) => ({
    ...{ timeoutMs, concurrency, now, ...(pace && { pace }) },
  });
  return {
    ...{ name, title, documentation, settings: schema, facts },
    problems(settings, path = 'sinks.crm') {
      const { data, error } = schema.safeParse(accessOf(settings));
      if (error) return error.issues.flatMap((issue) => problemsOf(issue, path));
      if (!settings.engagement) return [];
      if (!engagement)
        return [{ path: `${path}.engagement`, message: `${title} cannot be told of engagement` }];
      const problem = engagement.problem?.(data);
      return problem ? [{ ...problem, path: `${path}.${problem.path}` }] : [];
    },
    engagementScopes: engagement && [...(facts.scopes ?? []), ...(engagement.scopes ?? [])],
    connectEngagement(settings, now, pace, turns = new RecipientTurns()) {
      if (!settings.engagement) return undefined;
      const { fields } = settings.engagement;
      const limits = { ...limitsOf(settings, now, pace), turns };
      return engagement?.connect(schema.parse(accessOf(settings)), limits, fields);
    },
    connect(settings, now, pace, plan) {
      const limits = { ...limitsOf(settings, now, pace), ...(plan && { plan }) };
      return definition.connect(schema.parse(accessOf(settings)), limits);
    },
  };
}

const accessOf = ({ url, secrets, options }: CrmSettings) => ({ url, secrets, options });

function problemsOf(issue: z.core.$ZodIssue, at: string): ConfigProblem[] {
  const path = [at, ...issue.path].join('.');
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
  return issue.keys.map((key) => ({ path: `${path}.${key}`, message: 'unknown key' }));
}

/** A recipient's state as the topic has it. */
export interface RecipientState {
  readonly suppression: Suppression;
  /**
   * Epoch milliseconds at which the record was written to the topic: the version of the state. `changed_at` is none,
   * since an older event that arrives late leads to a newer state.
   */
  readonly recordedAt: number;
}

/** written: the CRM took it. unchanged: the CRM already had it. */
export type PutResult = 'written' | 'unchanged';

/** erased: the CRM has it no more. absent: it did not have it. underWay: it took the order, and still shows the contact. */
export type EraseResult = 'erased' | 'absent' | 'underWay';

/**
 * One CRM. The sink around it owns order (one call at a time for a recipient), the number of calls under way,
 * pauses, the circuit breaker, verdicts and metrics; an adapter says how to make a call, and throws CrmError.
 * It keeps no state about recipients and never retries.
 */
export interface CrmAdapter {
  readonly name: string;
  /** Is the CRM there? Leaves no trace. */
  check(signal: AbortSignal): Promise<void>;
  /**
   * Brings the CRM to this state. Called again with the same state after a lost answer, and after a restart with
   * states the CRM may already be past: must be idempotent, and must not replace a newer state where the CRM can tell.
   * A CRM without a conditional write goes through `readPatchVerify`.
   */
  put(state: RecipientState, signal: AbortSignal): Promise<PutResult>;
  /**
   * Everybody whom the CRM mails no more, whatever the reason, by its cheapest listing: page by page, in no order, one that is gone or new
   * meanwhile may be missing. `after` goes on where a page said. Throws CrmError.
   */
  suppressed?(signal: AbortSignal, after?: string): AsyncIterable<SuppressedPage>;
  /**
   * Which of these addresses, MAILED_AT_A_TIME at most, the CRM would mail; in doubt it would. Only of a CRM in which nothing is made of an
   * unknown address: that its listing lacks such a one is no loss. Throws CrmError.
   */
  mailed?(recipients: readonly string[], signal: AbortSignal): Promise<readonly string[]>;
  /**
   * Erases every contact that has just this address, by the CRM's call for privacy where it has one: that keeps the address from being mailed.
   * Called again after a lost answer: must be idempotent. Throws CrmError.
   */
  erase?(recipient: string, signal: AbortSignal): Promise<EraseResult>;
  close(): Promise<void>;
}

/** Addresses of a call of `mailed`. */
export const MAILED_AT_A_TIME = 20;

export interface SuppressedPage {
  readonly contacts: readonly SuppressedContact[];
  /** Where the listing goes on, also in another process; undefined: this was the last page. */
  readonly next: string | undefined;
}

/** As the CRM lists it. */
export interface SuppressedContact {
  /** The address as the CRM has it. */
  readonly recipient: string;
  /** Epoch milliseconds, if the CRM tells. */
  readonly since?: number;
  /** In the CRM's words, without an address. */
  readonly reason?: string;
  /** Why, where the CRM tells it from an opt-out. */
  readonly because?: 'complaint' | 'hard_bounce';
}

/** How to reach one contact in a CRM that has no conditional write. */
export interface ContactAccess<Patch> {
  /** Reads the contact: the smallest change that brings it to the state, undefined if there is nothing to change. */
  difference(state: RecipientState, signal: AbortSignal): Promise<Patch | undefined>;
  apply(patch: Patch, signal: AbortSignal): Promise<void>;
  /**
   * Where a write replaces more than what is to change, as a list of all channels that were left: what was chosen between the read and the
   * write would be undone. Runs both so that the write does not wait for its turn (`closeTogether`).
   */
  near?<T>(readAndWrite: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

/**
 * read → minimal patch → read back. A write that someone else undid meanwhile is not reported as done. One that is refused is looked at
 * again: another may have made the contact, or this very change, since it was read.
 */
export async function readPatchVerify<Patch>(
  contacts: ContactAccess<Patch>,
  state: RecipientState,
  signal: AbortSignal,
): Promise<PutResult> {
  const changed = await readAndPatch(contacts, state, signal);
  if (!changed) return 'unchanged';
  const left = await contacts.difference(state, signal);
  if (left === undefined) return 'written';
  throw new CrmError('unverified', 'SINK_CRM_UNVERIFIED', 'read back, the contact has another state');
}

/** Whether there was anything to change. */
async function readAndPatch<Patch>(
  contacts: ContactAccess<Patch>,
  state: RecipientState,
  signal: AbortSignal,
): Promise<boolean> {
  const { near = (both: () => Promise<boolean>) => both() } = contacts;
  let refused: { readonly patch: Patch; readonly error: CrmError } | undefined;
  const changed = await near(async () => {
    const patch = await contacts.difference(state, signal);
    if (patch === undefined) return false;
    try {
      await contacts.apply(patch, signal);
    } catch (error) {
      if (!(error instanceof CrmError) || error.failure !== 'rejected') throw error;
      refused = { patch, error };
    }
    return true;
  }, signal);
  if (!refused) return changed;
  const { patch, error } = refused;
  return near(async () => {
    const now = await contacts.difference(state, signal);
    if (now === undefined) return false;
    if (isDeepStrictEqual(now, patch)) throw error;
    await contacts.apply(now, signal);
    return true;
  }, signal);
}

const OF_ALL: ReadonlySet<CrmFailure> = new Set(['throttled', 'paused', 'misconfigured']);

/**
 * Does something for each target, also for those after one that fails: a list that refuses an address must not keep it on the other lists. Throws
 * the first error once all were tried, and at once an error that says nothing of the target.
 */
export async function forAll<T>(targets: Iterable<T>, act: (target: T) => Promise<unknown>): Promise<void> {
  let first: CrmError | undefined;
  for (const target of targets) {
    try {
      await act(target);
    } catch (error) {
      if (!(error instanceof CrmError) || OF_ALL.has(error.failure)) throw error;
      first ??= error;
    }
  }
  if (first) throw first;
}

/** Where the CRM is: https off loopback, without credentials, since addresses are logged. */
export function crmAddress(fallback: string, description: string) {
  return z
    .url()
    .superRefine((text, context) => {
      for (const message of addressProblems(text)) context.addIssue({ code: 'custom', message });
    })
    .default(fallback)
    .describe(description);
}

export interface SecretKind {
  /** Their kind, in the CRM's words. */
  readonly description: string;
  /** Whether a text can be one of them. */
  readonly usable: (secret: string) => boolean;
  /** The problem of one that cannot. Never shows the secret. */
  readonly expected: string;
  /** How many there may be; default: any number. */
  readonly most?: number;
}

/** The secrets by which the CRM knows the pipeline: at least one. */
export function crmSecrets({ description, usable, expected, most = Number.MAX_SAFE_INTEGER }: SecretKind) {
  const secret = z.instanceof(Secret).refine((text) => usable(text.reveal()), expected);
  return z
    .array(secret)
    .min(1, `at least one is needed: ${description}`)
    .max(most, `at most ${most}: ${description}`)
    .describe(description);
}

/** One token or key that calls carry in a header. */
export const apiToken = (description: string) =>
  crmSecrets({
    description,
    usable: isHeaderText,
    expected: 'must be visible ASCII characters, as a header takes them',
    most: 1,
  });

/** Whether a header can carry it. */
export const isHeaderText = (text: string): boolean => /^[\x21-\x7e]+$/.test(text);

function addressProblems(text: string): string[] {
  const url = URL.parse(text);
  // That it is no URL is reported already.
  if (!url) return [];
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return ['must be an https address'];
  const problems: string[] = [];
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    problems.push('plain http is refused off loopback: use https');
  }
  if (url.username || url.password) problems.push('must not hold credentials: it is logged');
  return problems;
}

const isLoopback = (host: string) =>
  host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
