export { applyEnvironment, variableOf } from './environment.ts';
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
export { ConfigError, type ConfigProblem, problemText } from './problems.ts';
export { referenceYaml } from './reference.ts';
export { type Env, resolveSecret, Secret, withoutLineEnd } from './secret.ts';
