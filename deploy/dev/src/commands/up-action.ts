import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Action, CommonOptions } from '@email-events/cli/command';
import { EXIT, type ExitCode } from '@email-events/cli/exit-codes';
import { homeFolder, pathsOf } from '@email-events/cli/home';
import { echo as echoText, note, print, printJson } from '@email-events/cli/output';
import { type RunState, readState } from '@email-events/cli/state-file';
import { PipelineError } from '@email-events/core/errors';
import { webhooksText } from '../run/banner.ts';
import { runForeground } from './start-action.ts';

export interface UpOptions {
  readonly detach: boolean;
  readonly anyPorts: boolean;
}

export const upAction: Action<UpOptions> = (options) =>
  options.detach ? runDetached(options) : runForeground(options);

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const POLL_MS = 200;

/** The same command without --detach in a session of its own; what it says until it is ready is shown here. */
async function runDetached({ anyPorts, config, json }: UpOptions & CommonOptions): Promise<ExitCode> {
  const paths = pathsOf(homeFolder());
  if (readState(paths)) {
    throw new PipelineError('RUN_ALREADY_RUNNING', 'fatal', `a pipeline runs on ${paths.home} already`);
  }
  const logFile = join(paths.logs, 'pipeline.log');
  mkdirSync(paths.logs, { recursive: true });
  if (existsSync(logFile)) renameSync(logFile, `${logFile}.1`);
  const log = openSync(logFile, 'a', 0o600);
  const args = [MAIN, 'up', ...(anyPorts ? ['--any-ports'] : []), ...(config ? ['--config', config] : [])];
  const child = spawn(process.execPath, args, { stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  const echo = echoFrom(logFile, json ? () => {} : echoText);
  for (;;) {
    await delay(POLL_MS);
    if (child.exitCode !== null || child.signalCode !== null) {
      echo();
      throw new PipelineError('RUN_SERVICE_FAILED', 'fatal', `it did not start; its log is ${logFile}`);
    }
    const state = readState(paths);
    if (state?.phase !== 'running') {
      echo();
      continue;
    }
    echo();
    child.unref();
    show(state, json);
    return EXIT.ok;
  }
}

/** Writes what was added to the file since the last call. */
function echoFrom(file: string, write: (text: string) => void): () => void {
  let shown = 0;
  return () => {
    const text = readFileSync(file, 'utf8');
    write(text.slice(shown));
    shown = text.length;
  };
}

function show(state: RunState, json: boolean): void {
  if (json) printJson(state);
  else {
    const webhooks = state.urls ? `; webhooks at ${webhooksText(state.urls)}` : '';
    print(`running in the background${webhooks}`);
    note('`npx email-events status` shows all of it, `npx email-events down` stops it');
  }
}
