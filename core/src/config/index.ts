export { applyEnvironment, variableOf } from './environment.ts';
export {
  ConfigError,
  type ConfigProblem,
  loadConfig,
  type PipelineConfig,
  parseConfig,
  type SourceConfig,
} from './load.ts';
export { referenceYaml } from './reference.ts';
export { type Env, resolveSecret, Secret, withoutLineEnd } from './secret.ts';
