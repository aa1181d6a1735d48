import { SchemaError, type SchemaErrorCode } from './errors.ts';
import {
  type CompatibilityProblem,
  compareWithVersions,
  currentSchemas,
  type Published,
  readPublished,
} from './published.ts';
import { Registry } from './registry.ts';
import { askRegistry, type RegistrySettings } from './registry-api.ts';
import { type Subject, subjects } from './topics.ts';

/** created: the subject was new. new version: it got one. unchanged: it held the current schema already. */
export type SubjectAction = 'created' | 'new version' | 'unchanged';

/** The change of one subject that register made, or would make. */
export interface SubjectResult {
  readonly subject: string;
  readonly topic: string;
  readonly action: SubjectAction;
  /** The subject's compatibility level was, or would be, set to FULL_TRANSITIVE. */
  readonly levelChanged: boolean;
  /** Id of the current schema; null while it is not registered. */
  readonly schemaId: number | null;
  /** Versions that the subject has in the registry. */
  readonly versions: number;
}

export interface SubjectProblem {
  readonly subject: string;
  readonly code: SchemaErrorCode;
  readonly message: string;
  /** Where and why, for SCHEMA_INCOMPATIBLE found by comparison; empty if the registry refused. */
  readonly details: readonly CompatibilityProblem[];
}

/** All problems of a registration. Its code is that of the first one. */
export class RegistrationError extends SchemaError {
  override readonly name = 'RegistrationError';
  readonly problems: readonly SubjectProblem[];
  /** Changes made before, or in spite of, the problems. */
  readonly results: readonly SubjectResult[];

  constructor(problems: readonly [SubjectProblem, ...SubjectProblem[]], results: readonly SubjectResult[]) {
    super(problems[0].code, problems.map(({ subject, message }) => `${subject}: ${message}`).join('\n'));
    this.problems = problems;
    this.results = results;
  }
}

export interface RegisterOptions {
  /** Only the subjects of these topics; all if absent. */
  readonly topics?: readonly string[] | undefined;
  /** Schemas to register by subject, and the versions before them; this code's own if absent. */
  readonly current?: ReadonlyMap<string, unknown> | undefined;
  readonly published?: Published | undefined;
}

export interface SchemaCheck {
  /** The changes that registerSchemas would make. All `unchanged` and no level changed: none. */
  readonly plan: readonly SubjectResult[];
  /** Why it would fail. */
  readonly problems: readonly SubjectProblem[];
}

const LEVEL = 'FULL_TRANSITIVE';

/**
 * Compares the registry with the code; changes nothing.
 * Throws SchemaError REGISTRY_UNREACHABLE or REGISTRY_UNAUTHORIZED; everything else is a problem in the result.
 */
export async function checkSchemas(
  settings: RegistrySettings,
  options: RegisterOptions = {},
): Promise<SchemaCheck> {
  const { plan, problems } = await examine(settings, options);
  return { plan: plan.map(({ result }) => result), problems };
}

/**
 * Makes the registry hold every subject's current schema at level FULL_TRANSITIVE. A new subject gets all published
 * versions in order, so that its history is the same everywhere. Idempotent; if any subject is incompatible, nothing
 * is registered. `progress` is called after each subject.
 * Throws RegistrationError (SCHEMA_INCOMPATIBLE …) with all problems, or SchemaError REGISTRY_UNREACHABLE or
 * REGISTRY_UNAUTHORIZED, after which it can be run again.
 */
export async function registerSchemas(
  settings: RegistrySettings,
  options: RegisterOptions = {},
  progress: (result: SubjectResult) => void = () => {},
): Promise<SubjectResult[]> {
  const { plan, problems } = await examine(settings, options);
  failIfAny(problems, []);
  const registry = new Registry(settings);
  const results: SubjectResult[] = [];
  for (const step of plan) {
    try {
      const result = await apply(settings, registry, step);
      results.push(result);
      progress(result);
    } catch (error) {
      problems.push(refusal(step.result.subject, error));
    }
  }
  failIfAny(problems, results);
  return results;
}

/** One subject's way from what the registry holds to what it should hold. */
interface Step {
  readonly result: SubjectResult;
  /** Schemas to register, in order. */
  readonly missing: readonly unknown[];
}

async function examine(
  settings: RegistrySettings,
  { topics, current = currentSchemas(), published = readPublished() }: RegisterOptions,
): Promise<{ plan: Step[]; problems: SubjectProblem[] }> {
  const plan: Step[] = [];
  const problems: SubjectProblem[] = [];
  for (const subject of subjects) {
    if (topics && !topics.includes(subject.topic)) continue;
    const schema = current.get(subject.name);
    const registered = await registeredVersions(settings, subject.name);
    const schemaId = registered.length > 0 ? await idIn(settings, subject.name, schema) : null;
    const step = await planned(settings, subject, schema, registered.length, schemaId);
    if (registered.length === 0)
      plan.push({ ...step, missing: history(schema, published.get(subject.name) ?? []) });
    else plan.push(step);
    const details = schemaId === null ? compareWithVersions(subject.name, schema, registered) : [];
    if (details.length > 0) {
      const message = 'the current schema is incompatible with a registered version';
      problems.push({ subject: subject.name, code: 'SCHEMA_INCOMPATIBLE', message, details });
    }
  }
  return { plan, problems };
}

async function planned(
  settings: RegistrySettings,
  subject: Subject,
  schema: unknown,
  versions: number,
  schemaId: number | null,
): Promise<Step> {
  const levelChanged = (await levelOf(settings, subject.name)) !== LEVEL;
  const action = versions === 0 ? 'created' : schemaId === null ? 'new version' : 'unchanged';
  return {
    result: { subject: subject.name, topic: subject.topic, action, levelChanged, schemaId, versions },
    missing: schemaId === null ? [schema] : [],
  };
}

/** The published versions, then the current schema where it is not the last of them. */
function history(schema: unknown, versions: readonly unknown[]): unknown[] {
  const current = JSON.stringify(schema);
  return [...versions.filter((version) => JSON.stringify(version) !== current), schema];
}

async function apply(settings: RegistrySettings, registry: Registry, step: Step): Promise<SubjectResult> {
  const { result, missing } = step;
  if (result.levelChanged && result.versions > 0) await setLevel(settings, result.subject);
  let { schemaId } = result;
  for (const schema of missing) schemaId = await registry.register(result.subject, schema);
  if (missing.length === 0) return result;
  // The library sets a new subject's level; a registry may report its global level for it all the same.
  if ((await levelOf(settings, result.subject)) !== LEVEL) await setLevel(settings, result.subject);
  const versions = (await versionNumbers(settings, result.subject)).length;
  return { ...result, schemaId, versions };
}

async function versionNumbers(settings: RegistrySettings, subject: string): Promise<number[]> {
  const answer = await askRegistry(settings, 'GET', `/subjects/${encodeURIComponent(subject)}/versions`);
  return answer.status === 404 ? [] : (answer.body as number[]);
}

async function registeredVersions(settings: RegistrySettings, subject: string): Promise<unknown[]> {
  const schemas: unknown[] = [];
  for (const version of await versionNumbers(settings, subject)) {
    const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`;
    const { body } = await askRegistry(settings, 'GET', path);
    schemas.push(JSON.parse((body as { schema: string }).schema));
  }
  return schemas;
}

async function idIn(settings: RegistrySettings, subject: string, schema: unknown): Promise<number | null> {
  const body = { schema: JSON.stringify(schema) };
  const answer = await askRegistry(settings, 'POST', `/subjects/${encodeURIComponent(subject)}`, body);
  return answer.status === 200 ? (answer.body as { id: number }).id : null;
}

/** The subject's own level; undefined if the global one applies. */
async function levelOf(settings: RegistrySettings, subject: string): Promise<string | undefined> {
  const answer = await askRegistry(settings, 'GET', `/config/${encodeURIComponent(subject)}`);
  return answer.status === 200
    ? (answer.body as { compatibilityLevel: string }).compatibilityLevel
    : undefined;
}

async function setLevel(settings: RegistrySettings, subject: string): Promise<void> {
  const path = `/config/${encodeURIComponent(subject)}`;
  const { status } = await askRegistry(settings, 'PUT', path, { compatibility: LEVEL });
  if (status >= 300) {
    throw new SchemaError('REGISTRY_UNREACHABLE', `the registry does not set the level: status ${status}`);
  }
}

function refusal(subject: string, error: unknown): SubjectProblem {
  // Without a registry there is no point in trying the other subjects.
  if (!(error instanceof SchemaError) || error.code !== 'SCHEMA_INCOMPATIBLE') throw error;
  return { subject, code: error.code, message: error.message, details: [] };
}

function failIfAny(problems: readonly SubjectProblem[], results: readonly SubjectResult[]): void {
  const [first, ...others] = problems;
  if (first) throw new RegistrationError([first, ...others], results);
}
