import { EXIT } from './exit-codes.ts';
import { createProgram } from './program.ts';
import { runProgram } from './run-program.ts';

// A reader that goes away (`… | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.ok);
  throw error;
});

await runProgram(createProgram());
