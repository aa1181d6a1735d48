import { z } from '@email-events/core/config';
import type { IngressStatus } from '@email-events/ingress';
import { adminText, type Sample, scrape } from '../admin-port.ts';
import type { Accounting } from './accounting.ts';
import type { Concern } from './concerns.ts';
import type { Intake } from './intake.ts';

/** Answer of /readyz; `degraded`: it works, but not with all that it should have. */
export type Readiness = 'ok' | 'degraded' | 'not ready' | 'stopping' | 'no answer';

/** One process of a service, as its admin port describes it. */
export interface Instance {
  readonly readiness: Readiness;
  /** Dependencies that are not fine, each with its code. */
  readonly problems: { readonly [dependency: string]: string };
  /** Where it concerns some partitions only: these (`topic/partition`), each with its own code. */
  readonly partitions: { readonly [partition: string]: string };
  /** Answer of an ingress about its sources; null: it is none, or it does not answer. */
  readonly ingress: IngressStatus | null;
}

/** Longer than a service gives each of its checks (core/src/admin-server.ts), so the service itself reports a check that takes too long. */
const TIMEOUT_MS = 7_000;
const READINESS: readonly string[] = ['ok', 'degraded', 'not ready', 'stopping'] satisfies Readiness[];

export const NO_ANSWER: Instance = { readiness: 'no answer', problems: {}, partitions: {}, ingress: null };

/** Never throws: an instance that is away does not answer. */
export async function readInstance(adminUrl: string): Promise<Instance> {
  const [ready, status] = await Promise.all([ask(adminUrl, '/readyz'), ask(adminUrl, '/status')]);
  const { status: readiness, dependencies, partitions } = (ready ?? {}) as ReadyAnswer;
  if (typeof readiness !== 'string' || !READINESS.includes(readiness)) return NO_ANSWER;
  return {
    readiness: readiness as Readiness,
    problems: textsOf(dependencies),
    partitions: textsOf(partitions),
    ingress: ingressStatus.safeParse(status).data ?? null,
  };
}

/** The answer of core/src/admin-server.ts, which may be of another version. */
interface ReadyAnswer {
  readonly status?: unknown;
  readonly dependencies?: unknown;
  readonly partitions?: unknown;
}

/** By name, those that are not `ok`. */
const textsOf = (states: unknown) =>
  Object.fromEntries(
    Object.entries(states ?? {}).flatMap(([name, state]) => (state === 'ok' ? [] : [[name, String(state)]])),
  );

/** Its metrics, which also say which service it is; null: it does not answer. */
export async function readMetrics(adminUrl: string): Promise<readonly Sample[] | null> {
  return scrape(adminUrl).catch(() => null);
}

/** The name that every metric of a service carries. */
export const serviceOf = (samples: readonly Sample[]): string | undefined =>
  samples.find(({ labels }) => labels.service !== undefined)?.labels.service;

/** Returns the JSON of an answer with any status; undefined if there is none. */
async function ask(adminUrl: string, path: string): Promise<unknown> {
  try {
    return JSON.parse((await adminText(`${adminUrl}${path}`, TIMEOUT_MS)).text);
  } catch {
    return undefined;
  }
}

const requestCounts = z.object({ accepted: z.number(), refused: z.record(z.string(), z.number()) });

/** The parts of an ingress’s answer that are read; one of another version may say more. */
const ingressStatus = z.object({
  startedAt: z.string(),
  recentSeconds: z.number(),
  sources: z.array(
    z.object({
      name: z.string(),
      esp: z.string(),
      lastAcceptedAt: z.string().nullable(),
      sinceStart: requestCounts,
      recent: requestCounts,
    }),
  ),
  spool: z
    .object({
      records: z.number(),
      bytes: z.number(),
      oldestAt: z.string().nullable(),
      setAside: z.number(),
    })
    .nullable(),
}) satisfies z.ZodType<IngressStatus>;

/** The content of `status`, for a pipeline on this machine and for services anywhere. */
export interface Report extends Intake {
  /** Everything runs and takes work; some of it may be degraded. */
  readonly ready: boolean;
  readonly services: readonly ServiceReport[];
  /** Since the data began; null: not all of it can be read now. */
  readonly counts: { readonly [name: string]: number } | null;
  /** Null: it cannot be told now. */
  readonly accounting: Accounting | null;
  /** What works and soon will not. */
  readonly concerns: readonly Concern[];
}

export interface ServiceReport {
  readonly name: string;
  /** Null: it has no admin port, or none yet. */
  readonly readiness: Readiness | null;
  readonly problems: Instance['problems'];
  readonly partitions: Instance['partitions'];
  /** Null: it reads no topic, or the lag cannot be found out. */
  readonly lag: ServiceLagReport | null;
  readonly adminUrl: string | null;
}

/** Of all consumers of the service together. */
export interface ServiceLagReport {
  readonly records: number;
  readonly exact: boolean;
  /** Of each further consumer, such as that of a further CRM, by its name. */
  readonly of?: { readonly [consumer: string]: number };
}

export const takesWork = ({ readiness }: Pick<ServiceReport, 'readiness'>): boolean =>
  readiness === null || readiness === 'ok' || readiness === 'degraded';

/** Decides the exit code: true if an operator need not look at it. */
export const isWell = ({ ready, onlyRefused, accounting, concerns }: Report): boolean =>
  ready &&
  onlyRefused.length === 0 &&
  (accounting?.wrong ?? []).length === 0 &&
  !concerns.some(({ urgent }) => urgent);
