import { commandsOf, type Words } from './shell.ts';

/** What has to be there when a block is run: nothing, components, or the whole local pipeline, which `npm start` begins. */
export type Session = 'alone' | 'components' | 'pipeline';

const ALONE: readonly string[] = ['--help', '--version', 'help', 'acl', 'completion', 'config', 'inspect'];
const OF_THE_SHELL: readonly string[] = ['cat', 'echo', 'export', 'mkdir'];
/** Means components at the addresses of that file. */
const OWN_COMPONENTS = 'deploy/config/pipeline.yaml';

/** The session that a block is run in; null: it holds what no session can run. */
export function sessionOf(body: string): Session | null {
  const commands = commandsOf(body).filter(([program = '']) => !OF_THE_SHELL.includes(program));
  if (!commands.every((words) => isStart(words) || isEmailEvents(words))) return null;
  if (commands.every(needsNothing)) return 'alone';
  return body.includes(OWN_COMPONENTS) ? 'components' : 'pipeline';
}

/** Commands that go on until somebody ends them. */
export function keepsRunning(words: Words): boolean {
  if (isStart(words)) return true;
  const [, , name = '', ...args] = words;
  return isEmailEvents(words) && name === 'run' && !args.includes('--check-config');
}

/** Of the service that `run` runs. */
export const serviceOf = ([, , , service = '']: Words): string => service;

const isEmailEvents = ([program, name]: Words) => program === 'npx' && name === 'email-events';
const isStart = (words: Words) => words.join(' ') === 'npm start';

function needsNothing(words: Words): boolean {
  const [, , name = ''] = words;
  return (
    isEmailEvents(words) && (ALONE.includes(name) || (name === 'run' && serviceOf(words) === 'receiver'))
  );
}
