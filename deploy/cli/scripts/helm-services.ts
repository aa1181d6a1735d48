import { defaultAt, type JsonSchema, variableOf } from '@email-events/core/config';
import { consumerGroupsOf, type ServiceDescriptor, type ServiceGroup } from '@email-events/core/service';
import { type TopicSettings, topicCatalogue } from '@email-events/schemas';
import { pipelineConfig, type Services } from '../src/services.ts';

/** What the templates of the chart know of a service; all of it is from its descriptor. */
export interface ChartService {
  readonly name: string;
  readonly title: string;
  /** Keys of its section. */
  readonly section: readonly string[];
  /** Runs only where the configuration has its section. */
  readonly optional: boolean;
  readonly adminPort: number;
  /** Served to others, by the key of the port. */
  readonly http: readonly { readonly key: string; readonly port: number; readonly hostVariable: string }[];
  readonly tls: { readonly certVariable: string; readonly keyVariable: string } | null;
  /** Speaks to the registry; to servers that its section names; to any server by HTTPS. */
  readonly registry: boolean;
  readonly urls: readonly ChartUrl[];
  readonly fetches: boolean;
  readonly disk: { readonly name: string; readonly holds: string; readonly variable: string } | null;
  readonly lag: ChartLag | null;
}

/** Where in the section a URL is: at `at`, or, with `each`, in every entry of what is there. */
export interface ChartUrl {
  readonly at: readonly string[];
  readonly each: boolean;
  readonly default: string;
}

/** A consumer group: `suffix` behind `kafka.groupPrefix`. */
export interface ChartGroup {
  readonly suffix: string;
  /** Null: several, all of which count. */
  readonly topic: string | null;
  /** Only there if the section has this field; with `each` one for every key in it, which comes behind the suffix. */
  readonly field: string | null;
  readonly each: boolean;
}

export interface ChartLag {
  readonly groups: readonly ChartGroup[];
  /** More instances than partitions have nothing to do. The key of their number in `topics`, and its default. */
  readonly partitions: { readonly key: string; readonly default: number };
}

const PREFIX = 'PREFIX';
const ENTRY = 'ENTRY';

type Fields = { readonly [field: string]: JsonSchema };

export function chartServices(all: Services): ChartService[] {
  return all.map((service) => {
    const { name, title, section, disk, absent, ports = {}, reads } = service;
    const path = section.split('.');
    const fields = fieldsOf(path);
    const variable = (...keys: string[]) => variableOf([...path, ...keys]);
    return {
      ...{ name, title, section: path, optional: absent !== undefined },
      adminPort: Number(defaultAt(pipelineConfig.schema.json, `${section}.adminPort`)),
      http: Object.entries(ports).map(([key, host]) => ({
        key,
        port: Number(defaultAt(pipelineConfig.schema.json, `${section}.${key}`)),
        hostVariable: variable(host),
      })),
      tls: fields.tls
        ? { certVariable: variable('tls', 'certFile'), keyVariable: variable('tls', 'keyFile') }
        : null,
      registry: reads.includes('registry'),
      urls: urlsOf(fields),
      // Certificates of those who sign.
      fetches: reads.includes('sources'),
      disk: disk
        ? { name: disk.name, holds: disk.holds, variable: variable(...disk.field.split('.')) }
        : null,
      lag: lagOf(service, fields),
    };
  });
}

/** URLs that every service may speak to: of sections that are no service's own. The registry is for those that read it. */
export function commonUrls(all: Services): ChartUrl[] {
  const own = ['registry', ...all.map(({ section }) => section.split('.')[0])];
  return Object.entries(fieldsOf([])).flatMap(([section, { properties = {} }]) =>
    own.includes(section) ? [] : urlsOf(properties).map((url) => ({ ...url, at: [section, ...url.at] })),
  );
}

/** A URL, a part of the section that has one, or a part whose entries have one each. */
function urlsOf(fields: Fields): ChartUrl[] {
  return Object.entries(fields).flatMap(([field, { properties, additionalProperties, default: own }]) => {
    const entry = typeof additionalProperties === 'object' ? additionalProperties.properties : undefined;
    if (field === 'url') return { at: [field], each: false, default: String(own ?? '') };
    if (properties?.url) return { at: [field, 'url'], each: false, default: '' };
    return entry?.url ? { at: [field], each: true, default: '' } : [];
  });
}

function lagOf(service: ServiceDescriptor, fields: Fields): ChartLag | null {
  const groups = (section: object) =>
    consumerGroupsOf(service, PREFIX, nested(service.section.split('.'), section));
  const [own] = groups({});
  const [topic] = own?.topics ?? [];
  if (!own || topic === undefined) return null;
  const further = Object.keys(fields).flatMap((field) =>
    // With the field there, and in it an entry of a name that nothing else has.
    groups({ [field]: { [ENTRY]: {} } })
      .slice(1)
      .map((group) => chartGroup(group, field)),
  );
  return { groups: [chartGroup(own, null), ...further], partitions: partitionsOf(topic) };
}

function chartGroup({ group, topics }: ServiceGroup, field: string | null): ChartGroup {
  const each = group.endsWith(ENTRY);
  const suffix = group.slice(PREFIX.length, each ? -ENTRY.length : undefined);
  return { suffix, topic: topics.length === 1 ? (topics[0] ?? null) : null, field, each };
}

const nested = (path: readonly string[], value: object): object =>
  path.reduceRight<object>((inner, key) => ({ [key]: inner }), value);

/** Which setting says how many partitions the topic has. */
function partitionsOf(topic: string): ChartLag['partitions'] {
  const settings = defaultsOf('topics') as unknown as TopicSettings;
  for (const key of ['rawPartitions', 'partitions', 'deadLetterPartitions'] as const) {
    const [before, after] = [settings[key], settings[key] + 1].map(
      (count) => topicCatalogue({ ...settings, [key]: count }).find(({ name }) => name === topic)?.partitions,
    );
    if (before !== after) return { key, default: settings[key] };
  }
  throw new Error(`no setting says how many partitions ${topic} has`);
}

function fieldsOf(path: readonly string[]): Fields {
  const at = path.reduce<JsonSchema | undefined>(
    (schema, key) => schema?.properties?.[key],
    pipelineConfig.schema.json,
  );
  return at?.properties ?? {};
}

/** The defaults of a section. */
function defaultsOf(section: string): { [key: string]: unknown } {
  return Object.fromEntries(
    Object.entries(fieldsOf([section])).map(([key, schema]) => [
      key,
      schema.properties
        ? Object.fromEntries(Object.entries(schema.properties).map(([name, of]) => [name, of.default]))
        : schema.default,
    ]),
  );
}
