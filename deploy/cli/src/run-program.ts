import { codeOf, PipelineError } from '@email-events/core/errors';
import { type Command, CommanderError } from 'commander';
import pc from 'picocolors';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { clearProgress, note } from './output.ts';
import { remedyFor, type Situation, situationOf } from './remedies.ts';
import { jsonText, visible } from './terminal.ts';

/**
 * Runs the command that the arguments name, and sets the exit code. A failure is described on standard error; `exitCodeOf`
 * says what it comes to, by default what its code does. A program that is still being loaded may fail like any command.
 */
export async function runProgram(
  made: Command | Promise<Command>,
  exitCodeOf: (error: unknown) => ExitCode = exitCodeFor,
): Promise<void> {
  // A reader that goes away (`… | head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.ok);
    throw error;
  });
  let program: Command | undefined;
  try {
    program = await made;
    await program.parseAsync();
  } catch (error) {
    process.exitCode = codeFor(error);
  } finally {
    clearProgress();
  }

  function codeFor(error: unknown): ExitCode {
    // Commander has already said what is wrong; its exit code 0 is --help and --version.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const options = program?.opts<{ json?: boolean; verbose?: boolean; config?: string }>() ?? {};
    const { json = given('--json'), verbose = given('--verbose'), config } = options;
    note(describeFailure(error, { json, verbose, config }));
    return exitCodeOf(error);
  }
}

const given = (option: string) => process.argv.includes(option);

const EXIT_CODES: { readonly [code: string]: ExitCode } = {
  CLI_USAGE: EXIT.usage,
  INSPECT_REQUEST_INVALID: EXIT.usage,
  RUN_NOT_RUNNING: EXIT.notRunning,
};

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
}

const exitCodeFor = (error: unknown): ExitCode => EXIT_CODES[codeOf(error)] ?? EXIT.failed;

export function failureOf(error: unknown, situation: Situation): Failure {
  const code = nameOf(error);
  const message = error instanceof Error && error.message !== '' ? error.message : String(error);
  const own = error instanceof PipelineError ? error.remedy : undefined;
  return { code, message, hint: own ?? remedyFor(code, situation) };
}

/** ClickHouse has a number for a code, and a name for people. */
function nameOf(error: unknown): string {
  const code = codeOf(error);
  const { type } = (error ?? {}) as { type?: unknown };
  return /^\d+$/.test(code) && typeof type === 'string' ? type : code;
}

/** The error as text for standard error. The stack only on request: a coded error is for people who run things. */
export function describeFailure(
  error: unknown,
  { json, verbose, config }: { json: boolean; verbose: boolean; config?: string | undefined },
): string {
  const { code, message, hint } = failureOf(error, situationOf({ config }));
  if (json) return jsonText({ error: { code, message, ...(hint ? { hint } : {}) } });
  // A broker, a registry or ClickHouse may have said part of it; problems are told one a line.
  const lines = [`${pc.red(code)} ${visible(message, 'lines')}`];
  if (hint) lines.push(pc.dim(`→ ${visible(hint)}`));
  if (verbose && error instanceof Error) lines.push(pc.dim(visible(fullStack(error), 'lines')));
  return lines.join('\n');
}

function fullStack(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by ${fullStack(error.cause)}` : own;
}
