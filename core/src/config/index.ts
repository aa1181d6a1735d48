export { applyEnvironment, variableOf } from './environment.ts';
export { type ConfigSchema, configJsonSchema, configSchemaOf, type JsonSchema } from './json-schema.ts';
export {
  type ConfigSection,
  type ConfigUse,
  type ExaminedConfig,
  examineConfig,
  loadConfig,
  type PipelineConfig,
  parseConfig,
  type SourceConfig,
} from './load.ts';
export { isMarked, mayBeSecret, schemaBelow } from './marked-places.ts';
export { FILE, SECRET } from './marks.ts';
export { readConfigFile } from './places.ts';
export { ConfigError, type ConfigProblem, problemText } from './problems.ts';
export { referenceYaml } from './reference.ts';
export { type Env, isReference, resolveSecret, Secret, withoutLineEnd } from './secret.ts';
