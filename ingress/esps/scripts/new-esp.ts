// `npm run new:esp NAME`: an adapter that works, with all that the contract suite needs, to be changed into the ESP's.
// ingress/ADDING_AN_ESP.md says what to change.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BY_FILE_NAME, identifierOf, slugProblem, titleOf } from '@email-events/schemas/tools';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const REGISTRY = 'ingress/esps/src/registry.ts';
const SIGNERS = 'ingress/esps/src/testing/index.ts';
const SCHEMES = 'test/contracts/esp-schemes.ts';
const TIMES = 'test/contracts/esp-broken-times.ts';
const TEMPLATE = 'ingress/esps/scripts/esp.template.ts';
const EVENTS = 'ingress/esps/scripts/esp.template.json';

const [name = '', ...rest] = process.argv.slice(2);
const problem = rest.length > 0 ? 'one name, please' : problemWith(name);
if (problem !== null) {
  process.stderr.write(`${problem}\nusage: npm run new:esp NAME\n`);
  process.exit(2);
}
create(name);

function problemWith(esp: string): string | null {
  return slugProblem(esp, {
    exists: () => [adapterPath(esp), fixturePath(esp)].some((path) => existsSync(root + path)),
    sources: () => [read(TEMPLATE), read(REGISTRY)],
  });
}

function create(esp: string): void {
  // All texts are made before the first is written: an anchor that is gone leaves nothing half done.
  const files = {
    [adapterPath(esp)]: adapterText(esp),
    [REGISTRY]: registered(read(REGISTRY), esp),
    [SIGNERS]: beforeEnd(
      read(SIGNERS),
      /^\]\);$/m,
      `  ['${esp}', () => bodyHmacSigner('${esp}', 'x-${esp}-signature')],\n`,
    ),
    [TIMES]: beforeEnd(read(TIMES), /^\};$/m, `  ${keyOf(esp)}: seconds('timestamp'),\n`),
    [SCHEMES]: beforeEnd(read(SCHEMES), /^\};\n(?![\s\S])/m, schemeText(esp)),
  };
  for (const [path, text] of Object.entries(files)) writeFileSync(root + path, text);
  // In a process of its own: this one has not loaded the new registry.
  const fixture = spawnSync(
    process.execPath,
    ['test/contracts/new-esp-fixture.ts', esp, 'batch', 'an event of every type'],
    { cwd: root, input: read(EVENTS), stdio: ['pipe', 'inherit', 'inherit'] },
  );
  if (fixture.status !== 0) process.exit(1);
  process.stdout.write(`${[...Object.keys(files), fixturePath(esp)].join('\n')}\n\n${nextSteps(esp)}\n`);
}

function adapterText(esp: string): string {
  return read(TEMPLATE)
    .replaceAll("'../src/", "'../")
    .replaceAll('exampleEsp', identifierOf(esp))
    .replaceAll('Example Esp', titleOf(esp))
    .replaceAll('example-esp', esp);
}

/** The registry with its import and its line, both in the order of file names. */
function registered(registry: string, esp: string): string {
  const identifier = identifierOf(esp);
  const imports = [...registry.matchAll(/^import \{ (\w+) \} from '\.\/esps\/(.+)\.ts';\n/gm)];
  const following = imports.find(([, , file = '']) => BY_FILE_NAME.compare(file, esp) > 0);
  const line = `import { ${identifier} } from './esps/${esp}.ts';\n`;
  if (following) {
    const [next, nextIdentifier] = following;
    return registry.replace(next, line + next).replace(`\n  ${nextIdentifier},\n`, `\n  ${identifier},$&`);
  }
  const last = imports.at(-1)?.[0] ?? '';
  return beforeEnd(registry.replace(last, last + line), /^\];$/m, `  ${identifier},\n`);
}

function schemeText(esp: string): string {
  return `  ${keyOf(esp)}: {
    body: '{"id":"e1","event":"open","timestamp":1793610929,"email":"a@example.com"}',
    tampered: 'SIGNATURE_WRONG',
    wrongKey: 'SIGNATURE_WRONG',
    window: null,
    proof: /signature$/,
    missing: 'SIGNATURE_MISSING',
    replayToken: false,
    anyKey: true,
  },
`;
}

function keyOf(esp: string): string {
  return esp.includes('-') ? `'${esp}'` : esp;
}

/** @throws Error if the end is not there. */
function beforeEnd(text: string, end: RegExp, addition: string): string {
  if (!end.test(text)) throw new Error(`no ${end} to add to`);
  return text.replace(end, (found) => addition + found);
}

function nextSteps(esp: string): string {
  return `It works already, for an ESP that does not exist. Next (ingress/ADDING_AN_ESP.md):
1. ${adapterPath(esp)}: make it what the vendor documents
2. ${SIGNERS}, ${SCHEMES}: sign as the vendor does; ${TIMES}: where it says its time
3. ${fixturePath(esp)}: requests of the vendor's in place of the invented one
4. npx vitest run --project contracts test/contracts/esp.test.ts
5. npm run gen`;
}

function adapterPath(esp: string): string {
  return `ingress/esps/src/esps/${esp}.ts`;
}

function fixturePath(esp: string): string {
  return `ingress/esps/fixtures/${esp}`;
}

function read(path: string): string {
  return readFileSync(root + path, 'utf8');
}
