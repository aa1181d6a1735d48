import { runProgram } from '@email-events/cli/run-program';
import { createProgram } from './program.ts';

await runProgram(createProgram());
