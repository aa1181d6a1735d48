import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createProgram } from '@email-events/dev/program';
import { expect, test } from 'vitest';
import {
  codeMentions,
  commandsIn,
  commandsOf,
  headingAnchors,
  keepsRunning,
  linksIn,
  type Mark,
  ROOT,
  readDocuments,
  sessionOf,
  shBlocks,
  strayShells,
  tabledCodes,
} from './blocks.ts';
import { commandProblem } from './command-line.test.ts';

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

test('the examples of every command are commands', async () => {
  const problems: string[] = [];
  const look = (command: Awaited<ReturnType<typeof createProgram>>): void => {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    const lines = [...help.matchAll(/^ {2}\$ (.+)$/gm)].map(([, line = '']) => line);
    const found = lines.flatMap((line) => commandsOf(line)).map((words) => commandProblem(words));
    problems.push(...found.filter((problem) => problem !== null));
    for (const child of command.commands) look(child);
  };
  look(await createProgram());
  expect(problems).toEqual([]);
});

test.each([
  ['npx email-events inspect a.json\ncat > b.json', 'alone'],
  ['export A=1\nnpx email-events run receiver --port 1', 'alone'],
  ['npx email-events topics apply --config deploy/config/pipeline.yaml', 'components'],
  ['npx email-events run ingress --config deploy/config/pipeline.yaml', 'components'],
  ['npx email-events config check --config deploy/config/pipeline.yaml', 'alone'],
  ['npm start', 'pipeline'],
  ['npx email-events status', 'pipeline'],
  ['npx email-events inspect a.json\nnpx email-events tail email.raw', 'pipeline'],
  ['npm test', null],
  ['npm start -- --demo', null],
  ['docker run x', null],
  ['npx email-events status\nkcat -b x', null],
])('%j is for: %s', (body, session) => {
  expect(sessionOf(body)).toBe(session);
});

test('services and npm start keep running', () => {
  const words = (line: string) => line.split(' ');
  expect(keepsRunning(words('npm start'))).toBe(true);
  expect(keepsRunning(words('npx email-events run events'))).toBe(true);
  expect(keepsRunning(words('npx email-events run events --check-config'))).toBe(false);
  expect(keepsRunning(words('npx email-events status'))).toBe(false);
});

test('splits a script as the shell does', () => {
  const script = `npm test   # comment; npm nothing
A=1 B="x y" npx email-events tail \\
  'email.events.*' --why "asked by \\"phone\\"" > out.txt 2>/dev/null
cat > request.json <<'END'
{"npx": "email-events nothing"}
END
echo '{"a":1}' | npx node a.ts && git status; run "$(head -c 3 /dev/urandom | base64)"
`;
  expect(commandsOf(script)).toEqual([
    ['npm', 'test'],
    ['npx', 'email-events', 'tail', 'email.events.*', '--why', 'asked by \\"phone\\"'],
    ['cat'],
    ['echo', '{"a":1}'],
    ['npx', 'node', 'a.ts'],
    ['git', 'status'],
    ['run', '$(head -c 3 /dev/urandom | base64)'],
  ]);
});

const TEXT = `One:

\`\`\`sh
npm test
\`\`\`

<!-- not run: it takes a day -->
\`\`\`sh
npm run bench
\`\`\`

1. In a list:

   <!-- run by test/a.test.ts -->
   \`\`\`sh
   npm run gen
     echo
   \`\`\`

\`\`\`bash
ls
\`\`\`

\`\`\`
npx email-events status
\`\`\`
`;

test('reads blocks, and what is said about running them', () => {
  expect(shBlocks(TEXT)).toMatchObject([
    { line: 4, body: 'npm test', mark: { kind: 'run' } },
    { line: 9, body: 'npm run bench', mark: { kind: 'not run', reason: 'it takes a day' } },
    { line: 16, body: 'npm run gen\n  echo', mark: { kind: 'run by', file: 'test/a.test.ts' } },
  ]);
  expect(strayShells(TEXT)).toEqual(['line 21: bash', 'line 25: commands without a language']);
});

const DOCUMENT = `# A first — heading (one)
See [there](../b/README.md#c), [web](https://example.com), \`[no](link)\` and \`npm run gen\`, \`KAFKA_FENCED\`.

\`\`\`sh
npm test   # comment
STACK=external npx email-events tail \\
  email.raw
\`\`\`

\`\`\`ts
[no](link); // npm run nothing
\`\`\`

| code | meaning |
|---|---|
| \`SINK_X\`   | … |
`;

test('reads links, anchors, commands and codes, and leaves other code alone', () => {
  expect(linksIn(DOCUMENT)).toEqual(['../b/README.md#c']);
  expect(headingAnchors(DOCUMENT)).toEqual(['a-first--heading-one']);
  expect(commandsIn(DOCUMENT)).toEqual([
    ['npm', 'test'],
    ['npx', 'email-events', 'tail', 'email.raw'],
    ['npm', 'run', 'gen'],
  ]);
  expect(tabledCodes(DOCUMENT)).toEqual(['SINK_X']);
  expect(codeMentions(DOCUMENT)).toEqual(['KAFKA_FENCED', 'SINK_X']);
});
