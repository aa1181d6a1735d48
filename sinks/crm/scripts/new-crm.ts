// `npm run new:crm NAME`: an adapter that works, and the harness that plays its CRM, to be changed into the CRM's.
// sinks/crm/ADDING_A_CRM.md says what to change.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BY_FILE_NAME, identifierOf, slugProblem, titleOf } from '@email-events/schemas/tools';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const REGISTRY = 'sinks/crm/src/adapters/index.ts';
const TEMPLATE = 'sinks/crm/scripts/crm.template.ts';
const HARNESS = 'sinks/crm/scripts/crm.template.harness.ts';

/** The formatter's width. */
const LINE = 110;

const [name = '', ...rest] = process.argv.slice(2);
const problem = rest.length > 0 ? 'one name, please' : problemWith(name);
if (problem !== null) {
  process.stderr.write(`${problem}\nusage: npm run new:crm NAME\n`);
  process.exit(2);
}
create(name);

function problemWith(crm: string): string | null {
  return slugProblem(crm, {
    exists: () => [adapterPath(crm), harnessPath(crm)].some((path) => existsSync(root + path)),
    sources: () => [read(TEMPLATE), read(REGISTRY)],
  });
}

function create(crm: string): void {
  // All texts are made before the first is written: an anchor that is gone leaves nothing half done.
  const files = {
    [adapterPath(crm)]: named(read(TEMPLATE), crm),
    [harnessPath(crm)]: named(read(HARNESS), crm),
    [REGISTRY]: registered(read(REGISTRY), crm),
  };
  for (const [path, text] of Object.entries(files)) writeFileSync(root + path, text);
  process.stdout.write(`${Object.keys(files).join('\n')}\n\n${nextSteps(crm)}\n`);
}

function named(template: string, crm: string): string {
  return template
    .replaceAll("'../src/", "'../")
    .replaceAll('exampleCrm', identifierOf(crm))
    .replaceAll('Example Crm', titleOf(crm))
    .replaceAll('example-crm', crm);
}

/** The registry with the CRM's import and its place in the list, both in the order of file names. */
function registered(registry: string, crm: string): string {
  const imports = [...registry.matchAll(/^import \{ (\w+) \} from '\.\/(.+)\.ts';\n/gm)];
  const listed = /^(export const crms: readonly Crm\[\] = \[)[^\]]*\];$/m;
  const [first] = imports;
  if (!first || !listed.test(registry)) throw new Error(`${REGISTRY} is not as it was`);
  const all = [
    ...imports.map(([, identifier = '', file = '']) => ({ identifier, file })),
    { identifier: identifierOf(crm), file: crm },
  ].sort((a, b) => BY_FILE_NAME.compare(a.file, b.file));
  const lines = all.map(({ identifier, file }) => `import { ${identifier} } from './${file}.ts';\n`);
  const rest = imports.reduce((text, [line]) => text.replace(line, ''), registry);
  const at = first.index;
  const identifiers = all.map(({ identifier }) => identifier);
  return `${rest.slice(0, at)}${lines.join('')}${rest.slice(at)}`.replace(listed, (_found, head: string) => {
    const line = `${head}${identifiers.join(', ')}];`;
    return line.length <= LINE ? line : `${head}\n${identifiers.map((each) => `  ${each},\n`).join('')}];`;
  });
}

function nextSteps(crm: string): string {
  return `It works already, for a CRM that does not exist. Next (sinks/crm/ADDING_A_CRM.md):
1. ${harnessPath(crm)}: speak as the vendor documents
2. ${adapterPath(crm)}: make it what the vendor documents
3. npx vitest run --project contracts test/contracts/crm/crm-adapters
4. npm run gen`;
}

function adapterPath(crm: string): string {
  return `sinks/crm/src/adapters/${crm}.ts`;
}

function harnessPath(crm: string): string {
  return `sinks/crm/src/adapters/${crm}.harness.ts`;
}

function read(path: string): string {
  return readFileSync(root + path, 'utf8');
}
