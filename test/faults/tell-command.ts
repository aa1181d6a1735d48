import { writeFileSync } from 'node:fs';

/**
 * Imported by each Node that `email-events run SERVICE` starts: the first that is another program than the command line is
 * the service, which writes down how it was started instead of starting.
 */
const { TELL_COMMAND_TO: file, TELL_COMMAND_BELOW: commandLine } = process.env;
const [node, script, ...args] = process.argv;
if (file !== undefined && script !== undefined && script !== commandLine) {
  writeFileSync(file, JSON.stringify({ node, nodeArgs: process.execArgv, script, args }));
  process.exit(0);
}
