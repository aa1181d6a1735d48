/*
 * Every name by which Kafka knows the pipeline. A processor's group is `prefix.name` and a sink's is `prefix-name`: they were
 * named so before there was one place for it, and a group of another name has no committed position. Neither may change.
 */

/** Consumer group of a processor. Also the application id of its local state. */
export const processorGroup = (groupPrefix: string, name: string): string => `${groupPrefix}.${name}`;

/** Consumer group of a sink. */
export const sinkGroup = (groupPrefix: string, name: string): string => `${groupPrefix}-${name}`;

/** A processor writes with one producer for each partition of its input, whose next owner fences the former one by this id. */
export const partitionTransactionalId = (group: string, topic: string, partition: number): string =>
  `${group}-${topic}-${partition}`;

/** Transactional id of a command. Those that may run at a time must have different names. */
export const commandTransactionalId = (groupPrefix: string, name: string): string => `${groupPrefix}-${name}`;

/** Client id of a service or command: for quotas and for the brokers' logs. */
export const clientIdOf = (clientId: string, service: string): string => `${clientId}-${service}`;
