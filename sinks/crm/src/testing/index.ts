export * from './harness.ts';
export * from './values.ts';
