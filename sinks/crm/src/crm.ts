import type { ConfigProblem, PipelineConfig, Secret } from '@email-events/core';
import type { z } from 'zod';
import type { CrmAdapter } from './adapter.ts';

/** sinks.crm as configured. `url`, `secrets` and `options` are the CRM's to judge, everything else is the same for all. */
export type CrmSettings = NonNullable<PipelineConfig['sinks']['crm']>;

/**
 * What a recipient's state may come to: suppressed for all mail, with the reason; off some mail only (of a stream, or of an account);
 * no reason left.
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
   * suppresses: the CRM mails the recipient no more. allows: it may mail, whatever it held before. leaves: what the CRM holds of the
   * recipient stays as it is.
   */
  readonly effect: 'suppresses' | 'allows' | 'leaves';
  /** How, in the CRM's words. */
  readonly how: string;
}

/** What goes into the README's table, and what the contract holds the adapter to. */
export interface CrmFacts {
  readonly states: { readonly [N in RecipientStateName]: StateFacts };
  /** The CRM keeps each reason with its scope; else no more than whether it may mail. */
  readonly keepsReasons: boolean;
  /** An older state that arrives after a newer one changes nothing: the CRM can tell. */
  readonly newerStays: boolean;
  /** Calls that the CRM takes in a time, as documented. */
  readonly limits: string;
  readonly limitations: readonly string[];
}

/** The part of sinks.crm that is the CRM's own: `crmAddress` and `crmSecrets` make the first two, `options` is a strict object. */
export type AccessSchema = z.ZodObject<{
  url: z.ZodType<string>;
  secrets: z.ZodType<Secret[]>;
  options: z.ZodObject;
}>;

/** What an adapter is given besides its own settings. */
export interface CallLimits {
  /** For a call to be answered. Milliseconds. */
  readonly timeoutMs: number;
  /** Recipients written at a time. */
  readonly concurrency: number;
  readonly now: () => number;
}

/** All that the rest of the package needs to know of a CRM. One file in `adapters` has it. */
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
}

/** A CRM of the registry. */
export interface Crm extends Omit<CrmDefinition, 'connect'> {
  /** What is wrong with the settings, with full paths. Messages never show a value. */
  problems(settings: CrmSettings): ConfigProblem[];
  /** Throws ZodError on settings that have problems. */
  connect(settings: CrmSettings, now: () => number): CrmAdapter;
}

/** Binds a CRM's adapter to the schema of its settings. */
export function defineCrm<S extends AccessSchema>(definition: CrmDefinition<S>): Crm {
  const { name, title, documentation, settings: schema, facts } = definition;
  return {
    ...{ name, title, documentation, settings: schema, facts },
    problems(settings) {
      const { error } = schema.safeParse(accessOf(settings));
      return error?.issues.flatMap(problemsOf) ?? [];
    },
    connect(settings, now) {
      const { timeoutMs, concurrency } = settings;
      return definition.connect(schema.parse(accessOf(settings)), { timeoutMs, concurrency, now });
    },
  };
}

const accessOf = ({ url, secrets, options }: CrmSettings) => ({ url, secrets, options });

function problemsOf(issue: z.core.$ZodIssue): ConfigProblem[] {
  const path = ['sinks.crm', ...issue.path].join('.');
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
  return issue.keys.map((key) => ({ path: `${path}.${key}`, message: 'unknown key' }));
}
