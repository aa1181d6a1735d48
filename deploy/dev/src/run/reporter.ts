import pc from 'picocolors';
import { formatProgress, type ProgressEvent, withProgress } from '../stack/progress.ts';
import type { ServiceNews } from './supervisor.ts';

/** How a start and a stop tell what they do. One line each, on standard error; what has only begun is gone once it is done. */
export interface Reporter {
  readonly stack: (event: ProgressEvent) => void;
  service(news: ServiceNews): void;
  /** Something that people should know; nothing stops. */
  warn(text: string): void;
  step<T>(component: string, step: ProgressEvent['step'], work: () => Promise<T>): Promise<T>;
}

/** `passing` shows what takes its time while it does; without it that is a line like any other. */
export function createReporter(
  write: (line: string) => void,
  passing: (line: string) => void = (line) => write(pc.dim(line)),
): Reporter {
  const stack = (event: ProgressEvent) => {
    if (event.state !== 'begin') write(colour(event)(formatProgress(event)));
    // Of two lines about the same step the second says it all, but for what takes its time.
    else if (event.step === 'install') passing(formatProgress(event));
  };
  return {
    stack,
    service: (news) => write(newsLine(news)),
    warn: (text) => write(pc.yellow(text)),
    step: (component, step, work) => withProgress(stack, { component, step }, work),
  };
}

function colour({ state, step }: ProgressEvent): (text: string) => string {
  if (state === 'failed') return pc.red;
  return step === 'stop' ? pc.dim : String;
}

function newsLine(news: ServiceNews): string {
  switch (news.kind) {
    case 'restarting':
      return pc.yellow(`${news.name} ${news.how}; starting it again in ${news.inMs} ms`);
    case 'running again':
      return pc.green(`${news.name} is running again`);
    case 'failed':
      return pc.red(`${news.how}. It ended too often: given up. The rest goes on.`);
    default:
      return news satisfies never;
  }
}
