import type { Action, CommonOptions } from '@email-events/cli/command';
import { EXIT, type ExitCode } from '@email-events/cli/exit-codes';
import { homeFolder } from '@email-events/cli/home';
import { note, print, printJson, progress } from '@email-events/cli/output';
import { renderBanner } from '../run/banner.ts';
import { type DemoResult, runDemo } from '../run/demo/demo.ts';
import { renderReport, reportJson } from '../run/demo/report.ts';
import type { RunningPipeline } from '../run/pipeline.ts';
import { createReporter } from '../run/reporter.ts';
import { type Session, withPipeline } from '../run/session.ts';

export interface StartOptions {
  readonly demo: boolean;
  readonly exit: boolean;
  readonly events: number;
  readonly seed?: number;
  readonly anyPorts: boolean;
}

type Options = Partial<StartOptions> & Pick<StartOptions, 'anyPorts'> & CommonOptions;

export const startAction: Action<StartOptions> = (options) => runForeground(options);

/** start and up: runs until it is asked to stop, or until the demo is over. */
export async function runForeground(
  options: Options,
  onReady: (pipeline: RunningPipeline) => void = () => {},
): Promise<ExitCode> {
  const begin = performance.now();
  const elapsed = () => `${((performance.now() - begin) / 1000).toFixed(1)} s`;
  let started = false;
  try {
    return await withPipeline(
      {
        home: homeFolder(),
        baseConfig: options.config,
        anyPorts: options.anyPorts,
        reporter: createReporter(note, progress),
      },
      async (pipeline, session) => {
        note(`everything runs after ${elapsed()}\n`);
        started = true;
        onReady(pipeline);
        const result = options.demo ? await demo(pipeline, session, options) : undefined;
        if (result && options.exit) return result.agrees ? EXIT.ok : EXIT.failed;
        if (options.json && !result) printJson({ urls: pipeline.urls, admin: pipeline.admin });
        else if (!options.json) print(`${renderBanner(pipeline)}\n\nCtrl-C stops everything; data is kept.`);
        await session.asked;
        return EXIT.ok;
      },
    );
  } catch (error) {
    if (isAbort(error)) return EXIT.interrupted;
    throw error;
  } finally {
    if (started) note(`stopped; it ran for ${elapsed()}`);
  }
}

async function demo(pipeline: RunningPipeline, { signal }: Session, options: Options): Promise<DemoResult> {
  const result = await runDemo(pipeline, {
    events: options.events ?? 20_000,
    seed: options.seed ?? 1,
    signal,
    quiet: options.json,
    note: progress,
  });
  if (options.json) printJson(reportJson(result));
  else print(`\n${await renderReport(result)}\n`);
  return result;
}

const isAbort = (error: unknown) => error instanceof Error && error.name === 'AbortError';
