import { groupLag, type PartitionLag } from '@email-events/core';
import { type ConsumerGroup, consumerGroups, type PipelineConfig, servicesOf } from './services.ts';

export interface ServiceLag {
  readonly service: string;
  readonly consumer: string;
  readonly group: string;
  /** Records that it has still to deal with. */
  readonly records: number;
  readonly exact: boolean;
}

/** Of the services that this configuration has. */
export async function serviceLag(config: PipelineConfig): Promise<ServiceLag[]> {
  const groups = consumerGroups(config, servicesOf(config));
  const lags = await groupLag(config.kafka, groups);
  return groups.map((group) => summary(group, lags));
}

function summary({ service, consumer, group }: ConsumerGroup, lags: readonly PartitionLag[]): ServiceLag {
  const own = lags.filter((lag) => lag.group === group);
  return {
    ...{ service, consumer, group },
    records: own.reduce((sum, { lag }) => sum + lag, 0),
    exact: own.every(({ exact }) => exact),
  };
}
