export { parseMetrics, type Sample, scrape, sumBy } from '@email-events/cli/admin-port';
export { type HomePaths, homeFolder, pathsOf, REPOSITORY } from '@email-events/cli/home';
export { type PipelineUrls, type RunState, readState } from '@email-events/cli/state-file';
export { type PipelineOptions, type RunningPipeline, startPipeline } from './run/pipeline.ts';
export { createReporter, type Reporter } from './run/reporter.ts';
