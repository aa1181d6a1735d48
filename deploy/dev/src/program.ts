import type { Command } from '@email-events/cli/command';
import { createProgram as createOperatorProgram } from '@email-events/cli/program';
import { downCommand } from './commands/down.ts';
import { runCommand } from './commands/run.ts';
import { simulateCommand } from './commands/simulate.ts';
import { startCommand } from './commands/start.ts';
import { upCommand } from './commands/up.ts';

/** `email-events` in a checkout: what operators have, and what is about the pipeline of this machine. */
export function createProgram(): Command {
  return createOperatorProgram([startCommand(), upCommand(), downCommand(), simulateCommand(), runCommand()]);
}
