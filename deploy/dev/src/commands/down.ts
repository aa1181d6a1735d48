import { setTimeout as delay } from 'node:timers/promises';
import { type Action, Command, examples, onRun } from '@email-events/cli/command';
import { EXIT } from '@email-events/cli/exit-codes';
import { type HomePaths, homeFolder, pathsOf } from '@email-events/cli/home';
import { note, print, printJson } from '@email-events/cli/output';
import { readState } from '@email-events/cli/state-file';
import { PipelineError } from '@email-events/core/errors';
import pc from 'picocolors';

export function downCommand(): Command {
  const command = new Command('down').description(
    'Stop the local pipeline that was started by up or npm start; data is kept',
  );
  onRun(command, downAction);
  command.addHelpText('after', '\nExits 0 when it is stopped, 4 if nothing was running.');
  return examples(command, 'down');
}

const ORDERLY_MS = 90_000;
const AT_ONCE_MS = 20_000;
const POLL_MS = 100;

export const downAction: Action<object> = async ({ json }) => {
  const paths = pathsOf(homeFolder());
  const state = readState(paths);
  if (!state) throw new PipelineError('RUN_NOT_RUNNING', 'fatal', `no pipeline runs on ${paths.home}`);
  const begin = performance.now();
  // The run lock is held, so the pid in the file is the holder's and no one else's. One that stops takes a second signal for
  // an order to end at once.
  if (state.phase !== 'stopping') process.kill(state.pid, 'SIGTERM');
  if (!(await isGone(paths, ORDERLY_MS))) {
    note(pc.yellow(`not stopped after ${ORDERLY_MS / 1000} s: ending what is left at once`));
    process.kill(state.pid, 'SIGTERM');
    if (!(await isGone(paths, AT_ONCE_MS))) {
      const remedy = `\`kill -9 ${state.pid}\` ends it, and what it has started ends with it; nothing that was answered is lost`;
      throw new PipelineError('RUN_STOP_FAILED', 'fatal', `process ${state.pid} does not end`, { remedy });
    }
  }
  const seconds = (performance.now() - begin) / 1000;
  if (json) printJson({ stopped: true, seconds });
  else print(`stopped in ${seconds.toFixed(1)} s; data is kept in ${paths.home}`);
  return EXIT.ok;
};

async function isGone(paths: HomePaths, deadlineMs: number): Promise<boolean> {
  const begin = performance.now();
  while (readState(paths) !== null) {
    if (performance.now() - begin > deadlineMs) return false;
    await delay(POLL_MS);
  }
  return true;
}
