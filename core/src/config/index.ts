/** The zod whose schemas are composed. */
export { z } from 'zod';
export { passwordFindings } from './checks/index.ts';
export type { CommonConfig, CommonSection, SourceConfig } from './common.ts';
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
export { isMarked, mayBeSecret, schemaBelow } from './marked-places.ts';
export { FILE, fileName, SECRET, secret } from './marks.ts';
export { readConfigFile } from './places.ts';
export { ConfigError, type ConfigProblem, type Finding, problemText } from './problems.ts';
export { referenceYaml } from './reference.ts';
export { type Env, isReference, resolveSecret, Secret, withoutLineEnd } from './secret.ts';
