import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createContainersProgram } from '@email-events/dev/containers/program';
import { createProgram } from '@email-events/dev/program';
import { expect, test } from 'vitest';
import { parseCLI } from 'vitest/node';
import { readCommand as readAbuse } from '../../abuse/command.ts';
import { readCommand as readCrm } from '../../crm/command.ts';
import { readCommand as readFaults } from '../../faults/command.ts';
import type { Words } from './blocks.ts';

type Command = Awaited<ReturnType<typeof createProgram>>;

const EMAIL_EVENTS = await createProgram();
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
const PROJECTS = ['unit', 'contracts', 'stack', 'own-stack', 'faults', 'containers'];

/**
 * Says why a command of this project is wrong as a document of `folder` has it, or null: nothing is run, but
 * its own program reads its arguments. Programs that are not the project's are left alone.
 */
export function commandProblem(words: Words, folder = '.'): string | null {
  const [program = '', ...args] = words;
  try {
    if (program === 'npm') checkNpm(args);
    else if (program === 'npx') checkNpx(args, folder);
    else if (program === 'node') checkMachineNode(args);
    return null;
  } catch (error) {
    return `${words.join(' ')}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function checkNpm([first = '', ...rest]: Words): void {
  if (first === 'ci') return;
  const [script = '', ...more] = first === 'run' ? rest : [first, ...rest];
  if (!Object.hasOwn(scripts, script)) throw new Error(`no such script: ${script}`);
  const [dashes, ...args] = more;
  if (dashes?.startsWith('-') && dashes !== '--')
    throw new Error('npm takes what is not behind -- for its own');
  READERS[script]?.(dashes === '--' ? args : more);
}

function checkNpx([program = '', ...args]: Words, folder: string): void {
  if (program === 'email-events') readEmailEvents(args);
  if (program === 'vitest') parseCLI(['vitest', ...args]);
  if (!existsSync(join(ROOT, 'node_modules', '.bin', program))) throw new Error(`npx would fetch ${program}`);
  const script = program === 'node' ? args.find((arg) => /\.m?[jt]s$/.test(arg)) : undefined;
  if (script && ![ROOT, join(ROOT, folder)].some((base) => existsSync(join(base, script)))) {
    throw new Error(`no such file: ${script}`);
  }
}

/** Any from 18, so it runs no TypeScript. */
function checkMachineNode(args: Words): void {
  const script = args.find((arg) => /\.m?[jt]s$/.test(arg));
  if (script?.endsWith('.ts'))
    throw new Error('the Node of a machine may be older than TypeScript: npx node');
  if (script && !existsSync(join(ROOT, script))) throw new Error(`no such file: ${script}`);
}

const READERS: { readonly [script: string]: (args: Words) => unknown } = {
  start: (args) => readEmailEvents(['start', ...args]),
  test: readTests,
  'test:faults': readFaults,
  'test:abuse': readAbuse,
  'test:crm': readCrm,
  bench: ([name = '']) => {
    if (!existsSync(join(ROOT, 'test', 'bench', `${name}.ts`))) throw new Error(`no such benchmark: ${name}`);
  },
  containers: (args) => read(createContainersProgram(new AbortController().signal), args),
};

function readTests(args: Words): void {
  const { options } = parseCLI(['vitest', 'run', ...args]);
  const unknown = [options.project ?? []].flat().filter((name) => !PROJECTS.includes(name));
  if (unknown.length > 0) throw new Error(`no such project: ${unknown}`);
}

function readEmailEvents(args: Words): void {
  // It would say so when it runs.
  if (args[0] === 'help') requireCommand(EMAIL_EVENTS, args.slice(1));
  read(EMAIL_EVENTS, args);
}

function requireCommand(program: Command, names: Words): void {
  let at = program;
  for (const name of names) {
    const found = at.commands.find((command) => command.name() === name);
    if (!found) throw new Error(`no such command: ${name}`);
    at = found;
  }
}

/** Throws what the program says about its arguments. */
function read(program: Command, args: Words): void {
  silence(program);
  try {
    program.parse(args, { from: 'user' });
  } catch (error) {
    // Help and version.
    if ((error as { exitCode?: unknown }).exitCode !== 0) throw error;
  }
}

function silence(command: Command): void {
  command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} });
  if (command.commands.length === 0) command.action(() => {});
  for (const child of command.commands) silence(child);
}

test.each([
  'npm start -- --demo --exit',
  'npm run gen',
  'npm run bench -- ingress',
  'npm run containers -- engine start',
  'npm run test:faults -- --minutes 5 --brokers 3',
  'npm run test:abuse -- --only months --flood 0',
  'npm test -- --project stack reader -t recreated',
  'npx email-events --version',
  'npx email-events help dlq list',
  'npx email-events tail email.suppressions --from-beginning --max 5',
  'npx node deploy/dev/src/stack/run.ts .email-events/my-stack',
  'npx tsc --noEmit',
  'docker run anything --at-all',
])('%s is as it should be', (line) => {
  expect(commandProblem(line.split(' '))).toBeNull();
});

test.each([
  ['npm run nothing', 'no such script'],
  ['npm start --demo', 'behind --'],
  ['npm start -- --demos', 'unknown option'],
  ['npm run bench -- nothing', 'no such benchmark'],
  ['npm run containers -- engine halt', 'engine halt'],
  ['npm run test:faults -- --hours 5', 'hours'],
  ['npm test -- --project nothing', 'no such project'],
  ['npx email-events nothing', 'unknown command'],
  ['npx email-events dlq nothing', 'unknown command'],
  ['npx email-events help dlq nothing', 'no such command'],
  ['npx email-events tail', 'missing required argument'],
  ['npx email-events tail email.raw --max five', 'a number from 1'],
  ['npx email-events run nothing', 'Allowed choices'],
  ['npx vitst run', 'npx would fetch vitst'],
  ['npx node deploy/dev/src/nothing.ts', 'no such file'],
  ['node deploy/dev/src/stack/run.ts', 'npx node'],
  ['node deploy/nothing.mjs', 'no such file'],
])('%s: %s', (line, problem) => {
  expect(commandProblem(line.split(' '))).toContain(problem);
});
