/** Path of the Confluent-compatible API. */
export const REGISTRY_API = '/apis/ccompat/v7';

export type RegistrySettings = Readonly<Record<string, string | number | boolean>>;

/** Apicurio with its data in a file of its own database. `dataFile`: without the suffix that H2 adds. */
export function registrySettings(dataFile: string): RegistrySettings {
  return {
    'quarkus.http.access-log.enabled': false,
    'apicurio.storage.kind': 'sql',
    'apicurio.storage.sql.kind': 'h2',
    'apicurio.datasource.url': `jdbc:h2:file:${dataFile}`,
    'apicurio.datasource.jdbc.initial-size': 2,
    'apicurio.datasource.jdbc.min-size': 2,
    'apicurio.datasource.jdbc.max-size': 8,
    'apicurio.rules.global.compatibility': 'BACKWARD',
    // Two registrations of one schema written differently are one schema, as with Confluent's server.
    'apicurio.ccompat.use-canonical-hash': true,
  };
}
