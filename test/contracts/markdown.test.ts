import { expect, test } from 'vitest';
import { codeMentions, commandsIn, headingAnchors, linksIn, tabledCodes } from './markdown.ts';

const TEXT = `# A first — heading (one)
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
  expect(linksIn(TEXT)).toEqual(['../b/README.md#c']);
  expect(headingAnchors(TEXT)).toEqual(['a-first--heading-one']);
  expect(commandsIn(TEXT)).toEqual([
    ['npm', 'test'],
    ['npx', 'email-events', 'tail', 'email.raw'],
    ['npm', 'run', 'gen'],
  ]);
  expect(tabledCodes(TEXT)).toEqual(['SINK_X']);
  expect(codeMentions(TEXT)).toEqual(['KAFKA_FENCED', 'SINK_X']);
});
