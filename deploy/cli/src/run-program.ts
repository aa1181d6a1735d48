import { type Command, CommanderError } from 'commander';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { describeFailure, exitCodeOf as usualExitCode } from './failure.ts';
import { clearProgress, note } from './output.ts';

/**
 * Runs the command that the arguments name, and sets the exit code. A failure is described on standard error; `exitCodeOf`
 * says what it comes to, by default what its code does.
 */
export async function runProgram(
  program: Command,
  exitCodeOf: (error: unknown) => ExitCode = usualExitCode,
): Promise<void> {
  // A reader that goes away (`… | head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.ok);
    throw error;
  });
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = codeFor(error);
  } finally {
    clearProgress();
  }

  function codeFor(error: unknown): ExitCode {
    // Commander has already said what is wrong; its exit code 0 is --help and --version.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const options = program.opts<{ json?: boolean; verbose?: boolean; config?: string }>();
    const { json = false, verbose = false, config } = options;
    note(describeFailure(error, { json, verbose, config }));
    return exitCodeOf(error);
  }
}
