import { runProgram } from '@email-events/cli/run-program';
import { createProgram } from './program.ts';

await runProgram(await createProgram(process.argv.slice(2)));
