// Generated from the descriptors of all services by `npm run gen`. Do not edit.

/** Sections of the services: names alone, by which a service tells another’s section from a misspelt key. */
export const KNOWN_SECTIONS: readonly string[] = [
  'ingress',
  'normalize',
  'events',
  'sinks.clickhouse',
  'sinks.crm',
  'sinks.lookup',
  'alerts',
];
