import { expect, test } from 'vitest';
import { shBlocks, strayShells } from './blocks.ts';
import { commandsOf } from './shell.ts';

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
