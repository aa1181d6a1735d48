import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { HomePaths } from '@email-events/cli/home';
import { pipelineConfig, services } from '@email-events/cli/services';
import {
  isReference,
  type JsonSchema,
  mayBeSecret,
  readConfigFile,
  schemaBelow,
  valueAt,
} from '@email-events/core/config';
import { isConfigured, isOptional } from '@email-events/core/service';
import { stringify } from 'yaml';
import type { LocalCertificate } from '../certificates.ts';
import type { SimulatorCredentials } from '../simulate/credentials.ts';
import { replicationOn, type StackAddresses } from '../stack/index.ts';
import { type LocalPorts, PORT_PATHS, type PortName } from './ports.ts';

/** Throws CONFIG_UNREADABLE. */
export const readBaseConfig = (file: string): ConfigTree => (readConfigFile(file).data ?? {}) as ConfigTree;

/** The kind of CRM (sinks/crm) that the local receiver is. */
const RECEIVER_KIND = 'http';

export function configuredPorts(base: ConfigTree): { [name in PortName]?: number } {
  const found = Object.entries(PORT_PATHS).flatMap(([name, path]) => {
    const port = valueAt(base, path);
    return typeof port === 'number' && port > 0 ? [[name, port] as const] : [];
  });
  return Object.fromEntries(found);
}

export interface LocalConfigInput {
  readonly base: ConfigTree;
  readonly paths: HomePaths;
  readonly addresses: StackAddresses;
  readonly ports: LocalPorts;
  readonly sources: SimulatorCredentials['sources'];
  readonly crmSecretFile: string;
  readonly lookupTokenFile: string;
  /** Of services that do not share the loopback, where nothing but TLS is taken. */
  readonly tls?: LocalCertificate;
  /** Where the CRM sink finds the receiver; 127.0.0.1 without. */
  readonly receiverHost?: string;
}

/**
 * The whole configuration of a local pipeline: what the base says, and for the rest what this start has chosen. A base
 * with a section for a CRM, be it empty, gets the receiver for one, unless it names another kind; a base without has none. One with a
 * section for look-ups gets a token for them.
 */
export function localConfig({
  base,
  paths,
  addresses,
  ports,
  sources,
  crmSecretFile,
  lookupTokenFile,
  tls,
  receiverHost = '127.0.0.1',
}: LocalConfigInput): ConfigTree {
  const { kafka, registry, clickhouse } = addresses;
  const ownSinks = base.sinks as ConfigTree | undefined;
  const hasCrm = ownSinks?.crm !== undefined;
  const { kind = RECEIVER_KIND } = (ownSinks?.crm ?? {}) as { kind?: unknown };
  const chosen: ConfigTree = {
    kafka: { brokers: kafka.brokers },
    registry,
    topics: replicationOn(kafka),
    sources: besideThose(sources, base.sources),
    ingress: { spool: { dir: paths.spool }, ...(tls && { tls }) },
    events: { stateDir: paths.state },
    sinks: {
      clickhouse,
      ...(hasCrm &&
        kind === RECEIVER_KIND && {
          crm: {
            url: `${tls ? 'https' : 'http'}://${receiverHost}:${ports.receiver}/suppressions`,
            secrets: [`file:${crmSecretFile}`],
          },
        }),
      ...(ownSinks?.lookup !== undefined && {
        // Off the loopback nothing but TLS is served.
        lookup: { tokens: [`file:${lookupTokenFile}`], ...(tls && { tls, host: '0.0.0.0' }) },
      }),
    },
  };
  const absent = services
    .filter((service) => isOptional(service) && !isConfigured(service, base))
    .map(({ section }) => section);
  for (const [name, path] of Object.entries(PORT_PATHS)) {
    if (!absent.some((section) => path.startsWith(`${section}.`)))
      put(chosen, path.split('.'), ports[name as PortName]);
  }
  return merge(chosen, base);
}

/** Where the base has a source of the same ESP, that one's account and the simulator's are two. */
function besideThose(sources: SimulatorCredentials['sources'], own: unknown): ConfigTree {
  const entries = typeof own === 'object' && own !== null ? Object.values(own) : [];
  const esps = new Set(entries.map((entry) => (entry as { esp?: unknown } | null)?.esp));
  return Object.fromEntries(
    Object.entries(sources).map(([name, source]) => [
      name,
      esps.has(source.esp) ? { ...source, account: 'simulator' } : source,
    ]),
  );
}

function put(tree: ConfigTree, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path;
  if (key === undefined) return;
  if (rest.length === 0) tree[key] = value;
  else {
    tree[key] ??= {};
    put(tree[key] as ConfigTree, rest, value);
  }
}

/** `over` wins, section by section. */
function merge(under: ConfigTree, over: ConfigTree): ConfigTree {
  const merged = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key];
    merged[key] = isSection(before) && isSection(value) ? merge(before, value) : value;
  }
  return merged;
}

const isSection = (value: unknown): value is ConfigTree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const HEADER =
  '# Made at each start of the local pipeline; what is changed here is lost. Change deploy/config/local.yaml.\n';

export function renderLocalConfig(config: ConfigTree): string {
  return HEADER + stringify(config);
}

/**
 * The file holds no secrets, but says where they are: those that stand for themselves in the base, or come with the
 * address of a component, get files beside it.
 */
export function writeLocalConfig(
  file: string,
  config: ConfigTree,
  schema: JsonSchema = pipelineConfig.schema.json,
): void {
  mkdirSync(dirname(file), { recursive: true });
  const withoutSecrets = secretsInFiles(config, schema, resolve(`${file}.secrets`));
  writeFileSync(file, renderLocalConfig(withoutSecrets), { mode: 0o600 });
}

/** Those of an earlier start go. */
function secretsInFiles(config: ConfigTree, schema: JsonSchema, folder: string): ConfigTree {
  rmSync(folder, { recursive: true, force: true });
  let count = 0;
  return replaceValues(config, schema, (value, place) => {
    if (!mayBeSecret(value, place)) return value;
    // Where a secret is a text, or nothing belongs at all, any number is refused alike.
    if (typeof value === 'number') return 0;
    if (isReference(value)) return value;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = join(folder, String(count++));
    writeFileSync(file, secretFileOf(value), { mode: 0o600 });
    return `file:${file}`;
  });
}

/** The secret that the CRM sink signs with and the local receiver checks, made once. Returns its file. */
export function crmSecret(secretsDir: string): { file: string; secret: string } {
  const file = join(secretsDir, 'crm.secret');
  if (!existsSync(file)) {
    mkdirSync(secretsDir, { recursive: true, mode: 0o700 });
    writeFileSync(file, `whsec_${randomBytes(32).toString('base64')}`, { mode: 0o600 });
    chmodSync(file, 0o600);
  }
  return { file, secret: readFileSync(file, 'utf8') };
}

/** The token that callers of the local look-ups come with, made once. Returns its file. */
export function lookupToken(secretsDir: string): string {
  const file = join(secretsDir, 'lookup.token');
  if (!existsSync(file)) {
    mkdirSync(secretsDir, { recursive: true, mode: 0o700 });
    writeFileSync(file, randomBytes(32).toString('base64url'), { mode: 0o600 });
  }
  return file;
}

/** A configuration as read, before it is checked. */
export type ConfigTree = { [key: string]: unknown };

/** Makes another value of one; `place` is what the schema says of where it is, undefined if it knows no such place. */
export type Replace = (value: string | number, place: JsonSchema | undefined) => string | number;

/** Copy of a configuration in which each text and number is what `replace` makes of it. */
export function replaceValues(tree: ConfigTree, schema: JsonSchema, replace: Replace): ConfigTree {
  const replaced = (value: unknown, place: JsonSchema | undefined): unknown => {
    const below = (key: string) => place && schemaBelow(place, key);
    if (Array.isArray(value)) return value.map((item, index) => replaced(item, below(String(index))));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(
        Object.entries(value).map(([key, child]) => [key, replaced(child, below(key))]),
      );
    }
    return typeof value === 'string' || typeof value === 'number' ? replace(value, place) : value;
  };
  return replaced(tree, schema) as ConfigTree;
}

/** Content of a file for this secret: readers drop one line end. */
export const secretFileOf = (secret: string) => (secret.endsWith('\n') ? `${secret}\n` : secret);
