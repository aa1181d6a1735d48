import { PipelineError } from '@email-events/core/errors';
import { withoutLineEnd } from '@email-events/core/secret';
import {
  adapters,
  type EspAdapter,
  EspConfigError,
  type FieldMapping,
  type FieldSettings,
  fieldMapping,
  findAdapter,
  type Inspection,
  inspectRequest,
  type TimeBounds,
  type Verifier,
} from '@email-events/esps';
import type { InspectedRequest } from './inspect-request.ts';

/** How to verify: a source's settings, or what the command line said. */
export interface Credentials {
  readonly esp: string;
  readonly secrets: readonly string[];
  readonly options: { readonly [name: string]: unknown };
  /** Where campaign, variant, stream and user are from; default: as of a source that does not say. */
  readonly fields?: FieldSettings | undefined;
  /** Name of the source, shown in the events. */
  readonly source?: string;
  /** The source accepts unsigned requests. */
  readonly unverified?: boolean;
  /** Which times are believed; default: as a configuration that does not say. */
  readonly timeBounds?: TimeBounds;
}

/** Says what the pipeline would do with a request. Throws INSPECT_ESP_UNKNOWN or INSPECT_CREDENTIALS_UNUSABLE. */
export type Judge = (inspected: InspectedRequest) => Inspection;

const KEPT_VERIFIERS = 1_000;

/**
 * The credentials in a request take precedence over the defaults, and `fields` of the command line over both. Keys are parsed
 * once per credentials.
 */
export function createJudge(defaults: Credentials | undefined, told?: FieldSettings): Judge {
  const kept = new Map<string, Tools>();
  return ({ request, esp, secrets, options, fields }) => {
    const name = esp ?? defaults?.esp;
    if (name === undefined) {
      throw new PipelineError('CLI_USAGE', 'reject', 'say --source NAME or --esp NAME, or "esp" in the line');
    }
    const base = name === defaults?.esp ? defaults : undefined;
    const credentials: Credentials = {
      ...base,
      esp: name,
      secrets: (secrets ?? base?.secrets ?? []).map(withoutLineEnd),
      options: options ?? base?.options ?? {},
      fields: told ?? fields ?? base?.fields,
    };
    const key = JSON.stringify(credentials);
    let tools = kept.get(key);
    if (!tools) {
      tools = toolsFor(credentials);
      if (kept.size >= KEPT_VERIFIERS) kept.clear();
      kept.set(key, tools);
    }
    return inspectRequest({
      ...tools,
      request,
      options: credentials.options,
      source: credentials.source,
      timeBounds: defaults?.timeBounds,
    });
  };
}

interface Tools {
  readonly adapter: EspAdapter;
  readonly verifier: Verifier;
  readonly fields: FieldMapping;
}

function toolsFor({ esp, secrets, options, unverified, ...said }: Credentials): Tools {
  const adapter = findAdapter(esp);
  if (!adapter) {
    const known = adapters.map(({ name }) => name).join(', ');
    throw new PipelineError('INSPECT_ESP_UNKNOWN', 'reject', `no ESP "${esp}"; there are: ${known}`);
  }
  const fields = fieldMapping(said.fields);
  if (unverified) return { adapter, verifier: { verify: () => ({ outcome: 'verified' }) }, fields };
  try {
    return { adapter, verifier: adapter.verifier({ secrets, options }), fields };
  } catch (cause) {
    if (!(cause instanceof EspConfigError)) throw cause;
    throw new PipelineError('INSPECT_CREDENTIALS_UNUSABLE', 'reject', cause.message, { cause });
  }
}
