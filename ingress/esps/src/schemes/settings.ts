import {
  type CredentialFacts,
  EspConfigError,
  type RefusalCode,
  type Verdict,
  type VerifierSettings,
} from '../adapter.ts';

export interface SettingProblem {
  /** `secrets`, or `options` and the name of one: `options.topicArns`. */
  readonly key: string;
  readonly message: string;
}

/** Several at once, each with its key. */
export class SettingsError extends EspConfigError {
  readonly problems: readonly SettingProblem[];
  constructor(problems: readonly SettingProblem[]) {
    super(problems.map(({ message }) => message).join('; '));
    this.problems = problems;
  }
}

/** Secrets and options as the adapter declared them. Throws SettingsError with all that is missing, empty or unknown. */
export function checkSettings(esp: string, facts: CredentialFacts, settings: VerifierSettings): void {
  const problems = [...secretProblems(esp, facts, settings), ...optionProblems(esp, facts, settings)];
  if (problems.length > 0) throw new SettingsError(problems);
}

function secretProblems(esp: string, facts: CredentialFacts, { secrets }: VerifierSettings) {
  const problem = (message: string): SettingProblem[] => [{ key: 'secrets', message }];
  if (facts.secret === null) {
    return secrets.length > 0 ? problem(`${esp} has no secret, but one is configured`) : [];
  }
  if (secrets.length === 0) return problem(`${esp} needs a secret: ${facts.secret}`);
  const isBlank = (secret: unknown) => typeof secret !== 'string' || secret.trim() === '';
  return secrets.some(isBlank) ? problem(`a secret of ${esp} is empty`) : [];
}

function optionProblems(esp: string, facts: CredentialFacts, { options }: VerifierSettings) {
  const unknown = Object.keys(options)
    .filter((name) => options[name] !== undefined && !facts.options.some((option) => option.name === name))
    .map((name) => ({ key: `options.${name}`, message: `${esp} has no option ${name}` }));
  const missing = facts.options
    .filter(({ name, required }) => required && isEmpty(options[name]))
    .map(({ name, description }) => ({
      key: `options.${name}`,
      message: `${esp} needs the option ${name}: ${description}`,
    }));
  return [...unknown, ...missing];
}

/** A text option, or undefined. */
export function textOption(settings: VerifierSettings, name: string): string | undefined {
  const value = settings.options[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value.trim() === '') {
    throw new EspConfigError(`option ${name} must be text that is not empty`);
  }
  return value.trim();
}

/** A list of texts, also given as one text with commas. */
export function listOption(settings: VerifierSettings, name: string): string[] {
  const value = settings.options[name] ?? [];
  const entries: unknown[] =
    typeof value === 'string' ? value.split(',') : Array.isArray(value) ? value : [null];
  return entries.map((entry) => {
    if (typeof entry !== 'string' || entry.trim() === '') {
      throw new EspConfigError(`option ${name} must be a list of texts`);
    }
    return entry.trim();
  });
}

/** A map of texts, also given as JSON. */
export function mapOption(settings: VerifierSettings, name: string): Map<string, string> {
  let value = settings.options[name] ?? {};
  if (typeof value === 'string') {
    try {
      value = JSON.parse(value) as object;
    } catch (cause) {
      throw new EspConfigError(`option ${name} must be a map`, { cause });
    }
  }
  const entries = typeof value === 'object' && !Array.isArray(value) ? Object.entries(value) : null;
  if (!entries?.every(([, entry]) => typeof entry === 'string')) {
    throw new EspConfigError(`option ${name} must be a map of texts`);
  }
  return new Map(entries);
}

/** A number of seconds, also given as text. */
export function secondsOption(settings: VerifierSettings, name: string): number | undefined {
  const value = settings.options[name];
  if (value === undefined) return undefined;
  const seconds = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds <= 0) {
    throw new EspConfigError(`option ${name} must be a number of seconds above 0`);
  }
  return seconds;
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)
  );
}

/** How far a signed timestamp may lie from the time of receipt, in seconds, bounds included. */
export interface Window {
  readonly past: number;
  readonly future: number;
}

/** Clocks differ by a little. Nothing honest comes from further in the future. */
export const CLOCK_SKEW_SECONDS = 300;

export const TOLERANCE_OPTION = {
  name: 'toleranceSeconds',
  required: false,
  description: 'oldest signed timestamp that is accepted, in seconds before receipt',
} as const;

/** The ESP's window, or what the operator put in its place. */
export function windowOf(settings: VerifierSettings, past: number): Window {
  return { past: secondsOption(settings, TOLERANCE_OPTION.name) ?? past, future: CLOCK_SKEW_SECONDS };
}

/** Judges a timestamp in whole unix seconds. Null: fresh. */
export function staleness(timestamp: string, receivedAt: number, window: Window): RefusalCode | null {
  const signedAt = secondsToMs(timestamp);
  return signedAt === null ? 'TIMESTAMP_MALFORMED' : stalenessAt(signedAt, receivedAt, window);
}

/** The same for a time in epoch milliseconds; fractions of a second do not count. */
export function stalenessAt(signedAt: number, receivedAt: number, window: Window): RefusalCode | null {
  const age = Math.floor(receivedAt / 1000) - Math.floor(signedAt / 1000);
  if (age > window.past) return 'TIMESTAMP_STALE';
  if (age < -window.future) return 'TIMESTAMP_IN_FUTURE';
  return null;
}

/** A refusal that says which time the sender claims, so that an operator finds a clock that is wrong. */
export function refusedAt(code: RefusalCode, timestamp: string): Verdict {
  const signedAt = secondsToMs(timestamp);
  return { outcome: 'refused', code, ...(signedAt === null ? {} : { signedAt }) };
}

function secondsToMs(timestamp: string): number | null {
  return /^\d{1,12}$/.test(timestamp) ? Number(timestamp) * 1000 : null;
}
