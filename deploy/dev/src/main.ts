import { runProgram } from '@email-events/cli/run-program';
import { createProgram } from './program.ts';

await runProgram(createProgram(process.argv.slice(2)));
