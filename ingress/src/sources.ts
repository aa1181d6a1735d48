import {
  type CommonConfig,
  ConfigError,
  type ConfigProblem,
  codeOf,
  rawHeadersEncoder,
  type SourceConfig,
} from '@email-events/core';
import {
  type EspAdapter,
  findAdapter,
  IDENTITY_VERSION,
  type Resources,
  type SettingProblem,
  SettingsError,
  type Verifier,
} from '@email-events/esps';
import { AddressList } from './addresses.ts';
import { TokenBucket } from './token-bucket.ts';

/** One configured webhook, ready to take requests. */
export interface Source {
  readonly name: string;
  readonly adapter: EspAdapter;
  readonly verifier: Verifier;
  /** How many secrets it has; the log says by number which were tried. */
  readonly secretCount: number;
  /** Documents that need not be fetched (option `certificates`). */
  readonly resources: Resources;
  /** Undefined: any address. */
  readonly allow: AddressList | undefined;
  /** The ids of its events depend on it, besides the ESP; null: none is named. */
  readonly account: string | null;
  readonly maxBodyBytes: number;
  readonly bucket: TokenBucket | undefined;
  /** Requests that fail their verification are kept. */
  readonly quarantine: boolean;
  /** Parameter and values that the raw record must not keep of the URL. */
  readonly urlSecrets: { readonly parameter: string | undefined; readonly values: readonly string[] };
  /** Headers that go into the raw record. */
  readonly keepHeaders: readonly string[];
  /** Headers of the raw record, of a genuine request. */
  readonly encodeHeaders: ReturnType<typeof rawHeadersEncoder>;
}

export type Sources = ReadonlyMap<string, Source>;
export type FindAdapter = (name: string) => EspAdapter | undefined;

/** Ids by which the ESP, or a proxy before us, knows the request. */
const ID_HEADERS = ['x-request-id', 'x-amzn-trace-id', 'x-correlation-id'];
const ACCEPT_ANYTHING: Verifier = { verify: () => ({ outcome: 'verified' }) };
const USUAL_BODY = 1_048_576;

/** Bytes of the largest body that a source takes: as configured, else as its ESP sends. */
export function largestBody(settings: Pick<SourceConfig, 'maxBodyBytes'>, adapter: EspAdapter): number {
  return settings.maxBodyBytes ?? adapter.http.maxBodyBytes ?? USUAL_BODY;
}

/** Throws ConfigError with the problems of all sources. */
export function buildSources(config: CommonConfig['sources'], find: FindAdapter = findAdapter): Sources {
  const problems: ConfigProblem[] = [];
  const sources = new Map<string, Source>();
  for (const [name, settings] of Object.entries(config)) {
    const source = buildSource(name, settings, find, (key, message) =>
      problems.push({ path: `sources.${name}.${key}`, message }),
    );
    if (source) sources.set(name, source);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return sources;
}

type Report = (key: string, message: string) => void;

function buildSource(
  name: string,
  settings: SourceConfig,
  find: FindAdapter,
  report: Report,
): Source | undefined {
  const adapter = find(settings.esp);
  if (!adapter) report('esp', `no ESP is called ${settings.esp}`);
  const verifier = adapter && verifierOf(adapter, settings, report);
  const allow = allowOf(settings, report);
  if (!adapter || !verifier) return undefined;
  const { requestsPerSecond, options, account = null } = settings;
  return {
    name,
    adapter,
    verifier,
    secretCount: settings.secrets.length,
    resources: textsOf(options.certificates),
    allow,
    account,
    maxBodyBytes: largestBody(settings, adapter),
    bucket:
      requestsPerSecond === undefined ? undefined : new TokenBucket(requestsPerSecond, performance.now()),
    quarantine: settings.quarantine,
    urlSecrets: { parameter: tokenParameter(adapter, options), values: secretTexts(settings) },
    keepHeaders: [...new Set([...ID_HEADERS, ...adapter.http.keepHeaders])],
    encodeHeaders: rawHeadersEncoder({
      ...{ source: name, esp: adapter.name, account, identityVersion: IDENTITY_VERSION },
    }),
  };
}

function verifierOf(adapter: EspAdapter, settings: SourceConfig, report: Report): Verifier | undefined {
  if (settings.verification === 'none') {
    if (settings.secrets.length > 0) report('verification', 'none, although there are secrets');
    return ACCEPT_ANYTHING;
  }
  const { secrets, options } = settings;
  try {
    return adapter.verifier({ secrets: secrets.map((secret) => secret.reveal()), options });
  } catch (error) {
    for (const { key, message } of settingProblems(error, adapter, settings)) report(key, message);
    return undefined;
  }
}

/** All of them: what is wrong with an option hides no secret, and one secret no other. */
function settingProblems(error: unknown, adapter: EspAdapter, settings: SourceConfig): SettingProblem[] {
  const { secrets, options } = settings;
  const [ofOptions, ofSecrets] = partition(problemsOf(error, 'secrets'));
  const sound = Object.fromEntries(
    Object.entries(options).filter(([name]) => !ofOptions.some(({ key }) => key === `options.${name}`)),
  );
  const each = secrets.flatMap((secret, index) => {
    try {
      adapter.verifier({ secrets: [secret.reveal()], options: sound });
      return [];
    } catch (own) {
      return partition(problemsOf(own, secrets.length > 1 ? `secrets.${index}` : 'secrets'))[1];
    }
  });
  return [...ofOptions, ...(each.length > 0 ? each : ofSecrets)];
}

const partition = (problems: readonly SettingProblem[]): [SettingProblem[], SettingProblem[]] => {
  const isOption = ({ key }: SettingProblem) => key.startsWith('options.');
  return [problems.filter(isOption), problems.filter((problem) => !isOption(problem))];
};

/** The adapter's message is for the operator and never shows a value; anything else might. */
function problemsOf(error: unknown, secretsKey: string): SettingProblem[] {
  if (error instanceof SettingsError) {
    return error.problems.map(({ key, message }) => ({ key: key === 'secrets' ? secretsKey : key, message }));
  }
  const expected = error instanceof Error && error.name === 'EspConfigError';
  return [{ key: secretsKey, message: expected ? error.message : `cannot be used (${codeOf(error)})` }];
}

function allowOf({ allow }: SourceConfig, report: Report): AddressList | undefined {
  if (allow.length === 0) return undefined;
  try {
    return new AddressList(allow);
  } catch (error) {
    report('allow', (error as Error).message);
    return undefined;
  }
}

function tokenParameter(adapter: EspAdapter, options: SourceConfig['options']): string | undefined {
  if (!adapter.credentials.options.some(({ name }) => name === 'tokenParameter')) return undefined;
  return typeof options.tokenParameter === 'string' ? options.tokenParameter : 'token';
}

/** Of a `user:password`, the password alone is secret too. */
function secretTexts({ secrets }: SourceConfig): string[] {
  return secrets.flatMap((secret) => {
    const text = secret.reveal();
    const colon = text.indexOf(':');
    return colon < 0 || colon === text.length - 1 ? [text] : [text, text.slice(colon + 1)];
  });
}

function textsOf(value: unknown): Resources {
  if (typeof value !== 'object' || value === null) return new Map();
  return new Map(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
