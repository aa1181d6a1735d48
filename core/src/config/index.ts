/** The zod whose schemas are composed. */
export { z } from 'zod';
export { isLoopbackHost, passwordFindings } from './checks.ts';
export { type CommonConfig, type CommonSection, registryOf, type SourceConfig } from './common.ts';
export {
  type ComposedConfig,
  type ConfigOf,
  type ConfigPart,
  type ConfigWith,
  commonConfig,
  composeConfig,
  valueAt,
} from './compose.ts';
export { applyEnvironment, variableOf } from './environment.ts';
export { address, adminPort, count, ms, NAME, port, section } from './fields.ts';
export { type ConfigSchema, configSchemaOf, defaultAt, type JsonSchema } from './json-schema.ts';
export { type ConfigReader, type ConfigUse, configReader, type ExaminedConfig } from './load.ts';
export { FILE, fileName, isMarked, mayBeSecret, SECRET, schemaBelow, secret } from './marks.ts';
export { readConfigFile } from './places.ts';
export { ConfigError, type ConfigProblem, type Finding, problemText } from './problems.ts';
export { referenceYaml } from './reference.ts';
export { type Env, isReference, resolveSecret, Secret, withoutLineEnd } from './secret.ts';
