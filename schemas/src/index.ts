export * from './codec.ts';
export * from './event-types.ts';
export { schemas } from './generated/schemas.gen.ts';
export type * from './generated/types.gen.ts';
export * from './partitioner.ts';
export * from './recipient.ts';
export * from './topics.ts';
