import { groupLag, type PartitionLag, type PipelineConfig } from '@email-events/core';
import { eventTopics, topics } from '@email-events/schemas';
import { type ServiceName, servicesOf } from './services.ts';

export interface ServiceLag {
  readonly service: ServiceName;
  readonly group: string;
  /** Records that it has still to deal with. */
  readonly records: number;
  readonly exact: boolean;
}

/** Consumer group and input of each service that has one. */
export function consumerGroups({ kafka }: Pick<PipelineConfig, 'kafka'>) {
  const prefix = kafka.groupPrefix;
  return [
    { service: 'normalize', group: `${prefix}.normalize`, topics: [topics.raw] },
    { service: 'events', group: `${prefix}.events`, topics: [topics.normalized] },
    {
      service: 'sink-clickhouse',
      group: `${prefix}-sink-clickhouse`,
      topics: [...eventTopics, topics.suppressions, topics.eventMarks, topics.deadLetters, topics.replays],
    },
    { service: 'sink-crm', group: `${prefix}-sink-crm`, topics: [topics.suppressions, topics.replays] },
  ] as const satisfies readonly { service: ServiceName; group: string; topics: readonly string[] }[];
}

/** Of the services that this configuration has. */
export async function serviceLag(config: PipelineConfig): Promise<ServiceLag[]> {
  const running = servicesOf(config);
  const groups = consumerGroups(config).filter(({ service }) => running.includes(service));
  const lags = await groupLag(config.kafka, groups);
  return groups.map(({ service, group }) => summary(service, group, lags));
}

function summary(service: ServiceName, group: string, lags: readonly PartitionLag[]): ServiceLag {
  const own = lags.filter((lag) => lag.group === group);
  return {
    service,
    group,
    records: own.reduce((sum, { lag }) => sum + lag, 0),
    exact: own.every(({ exact }) => exact),
  };
}
