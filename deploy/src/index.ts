export { type HomePaths, homeFolder, pathsOf, REPOSITORY } from './run/home.ts';
export { type PipelineOptions, type RunningPipeline, startPipeline } from './run/pipeline.ts';
export { parseMetrics, type Sample, scrape, sumBy } from './run/prometheus.ts';
export { createReporter, type Reporter } from './run/reporter.ts';
export { type PipelineUrls, type RunState, readState } from './run/state-file.ts';
