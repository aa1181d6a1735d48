import { CommanderError } from 'commander';
import { EXIT } from './exit-codes.ts';
import { describeFailure, failureOf } from './failure.ts';
import { note } from './output.ts';
import { createProgram } from './program.ts';

// A reader that goes away (`… | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.ok);
  throw error;
});

const program = createProgram();
try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeFor(error);
}

function exitCodeFor(error: unknown): number {
  // Commander has already said what is wrong; its exit code 0 is --help and --version.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const { json = false, verbose = false } = program.opts<{ json?: boolean; verbose?: boolean }>();
  note(describeFailure(error, { json, verbose }));
  return failureOf(error).exitCode;
}
