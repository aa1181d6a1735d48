import { type CredentialFacts, EspConfigError, type VerifierSettings } from '../adapter.ts';

/** Secrets and options as the adapter declared them. Throws EspConfigError for what is missing, empty or unknown. */
export function checkSettings(esp: string, facts: CredentialFacts, settings: VerifierSettings): void {
  const { secrets, options } = settings;
  if (facts.secret === null) {
    if (secrets.length > 0) throw new EspConfigError(`${esp} has no secret, but one is configured`);
  } else {
    if (secrets.length === 0) throw new EspConfigError(`${esp} needs a secret: ${facts.secret}`);
    if (secrets.some((secret) => typeof secret !== 'string' || secret.trim() === '')) {
      throw new EspConfigError(`a secret of ${esp} is empty`);
    }
  }
  for (const name of Object.keys(options)) {
    if (options[name] !== undefined && !facts.options.some((option) => option.name === name)) {
      throw new EspConfigError(`${esp} has no option ${name}`);
    }
  }
  for (const { name, required, description } of facts.options) {
    if (required && isEmpty(options[name])) {
      throw new EspConfigError(`${esp} needs the option ${name}: ${description}`);
    }
  }
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
