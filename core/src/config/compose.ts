import { z } from 'zod';
import { commonFindings, portFindings, type ServicePort } from './checks.ts';
import { type CommonConfig, closing, opening } from './common.ts';
import { section } from './fields.ts';
import { configSchemaOf } from './json-schema.ts';
import { type ConfigReader, configReader } from './load.ts';
import type { WithSecrets } from './marks.ts';
import type { Finding } from './problems.ts';

/** A service's part of the configuration. */
export interface ConfigPart<Path extends string = string, S extends z.ZodType = z.ZodType> {
  /** Where it is: a key, or a group and a key, such as `sinks.crm`. */
  readonly section: Path;
  /** Has a field `adminPort`. May be left out as a whole: it has a default, or is optional. */
  readonly config: S;
  /** Keys that do not go together, and values that work and should be looked at. */
  findings?(config: ConfigWith<Path, S>): readonly Finding[];
  /** Further fields of the section that are ports, by the one that is the host they are on. */
  readonly ports?: { readonly [port: string]: string };
}

/** The common sections and one more. */
export type ConfigWith<Path extends string, S extends z.ZodType> = CommonConfig &
  At<Path, WithSecrets<z.output<S>>>;

type At<Path extends string, T> = Path extends `${infer Group}.${infer Rest}`
  ? { [K in Group]: At<Rest, T> }
  : undefined extends T
    ? { [K in Path]?: T }
    : { [K in Path]: T };

/** Configuration of a service by its descriptor. */
export type ConfigOf<P> = P extends ConfigPart<infer Path, infer S> ? ConfigWith<Path, S> : never;

/** The common sections and those of all parts. */
export type ComposedConfig<P extends readonly ConfigPart[]> = CommonConfig &
  Intersection<{ [I in keyof P]: ConfigOf<P[I]> }[number]>;

type Intersection<U> = (U extends unknown ? (of: U) => void : never) extends (of: infer I) => void
  ? I
  : never;

const GROUPS: { readonly [name: string]: string } = { sinks: 'The sinks.' };

/**
 * The configuration of a pipeline that has these parts. `others` are sections of services that are not among them: they may be
 * in a file and are passed over.
 */
export function composeConfig<const P extends readonly ConfigPart[]>(
  parts: P,
  others: readonly string[] = [],
): ConfigReader<ComposedConfig<P>> {
  const parser = z.strictObject({ ...opening, ...shapeOf(parts), ...closing });
  const own = parts.map((part) => part.section);
  return configReader(
    configSchemaOf<ComposedConfig<P>>(parser, {
      findings: (config) => findingsOf(parts, config as ComposedConfig<P> & CommonConfig),
      others: others.filter((name) => !own.includes(name)),
    }),
  );
}

function shapeOf(parts: readonly ConfigPart[]): z.ZodRawShape {
  const shape: { [key: string]: z.ZodType } = {};
  const groups = new Map<string, { [key: string]: z.ZodType }>();
  for (const { section: path, config } of parts) {
    const [key = '', name] = path.split('.');
    if (name === undefined) {
      shape[key] = config;
      continue;
    }
    const group = { ...groups.get(key), [name]: config };
    groups.set(key, group);
    shape[key] = section(group, GROUPS[key] ?? '');
  }
  return shape;
}

function findingsOf(parts: readonly ConfigPart[], config: CommonConfig): Finding[] {
  return [
    ...commonFindings(config),
    ...parts.flatMap((part) => part.findings?.(config) ?? []),
    ...portFindings(parts.flatMap((part) => portsOf(part, config))),
  ];
}

function portsOf({ section: path, ports = {} }: ConfigPart, config: CommonConfig): ServicePort[] {
  const own = valueAt(config, path) as { readonly [key: string]: unknown } | undefined;
  if (own === undefined) return [];
  const admin = { host: config.adminHost, hostPath: 'adminHost' };
  return [
    ...Object.entries(ports).map(([key, hostKey]) => ({
      ...{ service: path, path: `${path}.${key}`, port: Number(own[key]) },
      ...{ host: String(own[hostKey]), hostPath: `${path}.${hostKey}` },
    })),
    { service: path, path: `${path}.adminPort`, port: Number(own.adminPort), ...admin },
  ];
}

/** The common sections alone. */
export const commonConfig = composeConfig([]);

/** Returns the value at a dotted path; undefined if there is none. */
export const valueAt = (config: unknown, path: string): unknown =>
  path
    .split('.')
    .reduce<unknown>((tree, key) => (tree as { [key: string]: unknown } | undefined)?.[key], config);
