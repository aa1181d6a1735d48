import { defaultAt, type JsonSchema, variableOf } from '@email-events/core/config';
import { consumerGroupsOf, type ServiceDescriptor } from '@email-events/core/service';
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
  /** Speaks to the registry; to the server of `url` in its section; to any server by HTTPS. */
  readonly registry: boolean;
  readonly url: string | null;
  readonly fetches: boolean;
  readonly disk: { readonly name: string; readonly holds: string; readonly variable: string } | null;
  readonly lag: ChartLag | null;
}

export interface ChartLag {
  /** Of its consumer group: this behind `kafka.groupPrefix`. */
  readonly groupSuffix: string;
  /** Further groups: `groupSuffix`, `-` and each key of this part of the section. */
  readonly others: string | null;
  /** Null: several, all of which count. */
  readonly topic: string | null;
  /** More instances than partitions have nothing to do. The key of their number in `topics`, and its default. */
  readonly partitions: { readonly key: string; readonly default: number };
}

const PREFIX = 'PREFIX';

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
      url: fields.url ? String(fields.url.default ?? '') : null,
      // Certificates of those who sign.
      fetches: reads.includes('sources'),
      disk: disk
        ? { name: disk.name, holds: disk.holds, variable: variable(...disk.field.split('.')) }
        : null,
      lag: lagOf(service, fields),
    };
  });
}

function lagOf(
  service: ServiceDescriptor,
  fields: { readonly [field: string]: JsonSchema },
): ChartLag | null {
  const [topic, ...more] = service.consumes?.topics ?? [];
  const [own] = consumerGroupsOf(service, PREFIX, {});
  if (topic === undefined || !own) return null;
  return {
    groupSuffix: own.group.slice(PREFIX.length),
    others: service.consumers && fields.others ? 'others' : null,
    topic: more.length === 0 ? topic : null,
    partitions: partitionsOf(topic),
  };
}

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

function fieldsOf(path: readonly string[]): { readonly [field: string]: JsonSchema } {
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
