export * from './harness.ts';
export * from './played-server.ts';
export * from './values.ts';
