import type { Command } from '@email-events/cli/command';
import { type CommandTable, createProgram as createOperatorProgram } from '@email-events/cli/program';

const COMMANDS: CommandTable = {
  start: async () => (await import('./commands/start.ts')).startCommand(),
  up: async () => (await import('./commands/start.ts')).upCommand(),
  down: async () => (await import('./commands/down.ts')).downCommand(),
  logs: async () => (await import('./commands/logs.ts')).logsCommand(),
  simulate: async () => (await import('./commands/simulate.ts')).simulateCommand(),
  run: async () => (await import('./commands/run.ts')).runCommand(),
};

/** `email-events` in a checkout: what operators have, and what is about the pipeline of this machine. */
export const createProgram = (args: readonly string[] = []): Promise<Command> =>
  createOperatorProgram(args, COMMANDS);
