import { PipelineError } from '../errors.ts';

export interface ConfigProblem {
  /** Dotted path, e.g. sources.sendgrid.secrets.0 */
  readonly path: string;
  readonly message: string;
  /** Its line in the file, from 1; of a missing key, the line of the section that lacks it. */
  readonly line?: number;
  /** Environment variable that it comes from, instead of the file. */
  readonly variable?: string;
}

/** A value that is refused cannot be used. A value with a warning works, and the operator should look at it. */
export interface Finding extends ConfigProblem {
  readonly level: 'refuse' | 'warn';
  /** Further paths that were compared with the first one. */
  readonly compared?: readonly string[];
}

/** Thrown with every problem at once. */
export class ConfigError extends PipelineError {
  readonly problems: readonly ConfigProblem[];
  constructor(problems: readonly ConfigProblem[]) {
    super('CONFIG_INVALID', 'fatal', problems.map(problemText).join('\n'));
    this.problems = problems;
  }
}

/** `path (line 12): message`. */
export function problemText({ path, message, line, variable }: ConfigProblem): string {
  const place = variable ?? (line === undefined ? undefined : `line ${line}`);
  return `${path}${place === undefined ? '' : ` (${place})`}: ${message}`;
}

/** Whether one of the paths is the other, or within it. */
export function overlaps(a: string, b: string): boolean {
  return a === b || a === '' || b === '' || a.startsWith(`${b}.`) || b.startsWith(`${a}.`);
}
