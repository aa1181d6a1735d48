import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createProgram } from '@email-events/dev/program';
import { expect, test } from 'vitest';
import { type Mark, shBlocks, strayShells } from './blocks.ts';
import { commandProblem } from './command-line.ts';
import { ROOT, readDocuments } from './documents.ts';
import { sessionOf } from './sessions.ts';
import { commandsOf } from './shell.ts';

/** Every command in every block, whether it is run by a test or not, is one that exists; and what is not run says why. */
const documents = readDocuments();

test.for(documents)('$path: its programs take the commands of its blocks', ({ path, text }) => {
  const problems = shBlocks(text).flatMap(({ line, body }) =>
    commandsOf(body).flatMap((words) => {
      const problem = commandProblem(words, dirname(path));
      return problem === null ? [] : [`line ${line}: ${problem}`];
    }),
  );
  expect(problems).toEqual([]);
});

test.for(documents)('$path: every block is run by a test, or says why not', ({ path, text }) => {
  expect(strayShells(text)).toEqual([]);
  const problems = shBlocks(text).flatMap(({ line, body, mark }) => {
    const problem = problemOfMark(mark, body, path);
    return problem === null ? [] : [`line ${line}: ${problem}`];
  });
  expect(problems).toEqual([]);
});

function problemOfMark(mark: Mark, body: string, path: string): string | null {
  if (mark.kind === 'not run') return null;
  if (mark.kind === 'run') {
    return sessionOf(body) === null ? 'no test can run this: say why by <!-- not run: REASON -->' : null;
  }
  const file = join(ROOT, mark.file);
  const mentions = existsSync(file) && readFileSync(file, 'utf8').includes(`'${path}'`);
  return mentions ? null : `${mark.file} does not run it`;
}

test('the examples of every command are commands', () => {
  const problems: string[] = [];
  const look = (command: ReturnType<typeof createProgram>): void => {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    const lines = [...help.matchAll(/^ {2}\$ (.+)$/gm)].map(([, line = '']) => line);
    const found = lines.flatMap((line) => commandsOf(line)).map((words) => commandProblem(words));
    problems.push(...found.filter((problem) => problem !== null));
    for (const child of command.commands) look(child);
  };
  look(createProgram());
  expect(problems).toEqual([]);
});
