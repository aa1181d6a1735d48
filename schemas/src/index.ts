export { avroType, typeForSchema } from './avro-types.ts';
export * from './codec.ts';
export { type Incompatibility, type IncompatibilityCode, incompatibilities } from './compatibility.ts';
export * from './errors.ts';
export * from './event-types.ts';
export { schemas } from './generated/schemas.gen.ts';
export type * from './generated/types.gen.ts';
export {
  MAILBOX_PROVIDERS,
  MAILBOX_PROVIDERS_VERSION,
  mailboxProviderOf,
  OTHER_PROVIDER,
} from './mailbox-providers.ts';
export { type PackedEvent, PackedEvents } from './packed-events.ts';
export * from './partitioner.ts';
export * from './published.ts';
export * from './recipient.ts';
export * from './register.ts';
export type { RegistrySettings } from './registry-api.ts';
export * from './topics.ts';
