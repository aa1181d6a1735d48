// `npm run new:esp NAME`: adapter, account, guide and a fixture that work, for an ESP that does not exist, to be changed into the
// ESP's.
// ingress/ADDING_AN_ESP.md says what to change.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { identifierOf, slugProblem, titleOf } from '@email-events/schemas/tools';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const ADAPTERS = 'ingress/esps/src/adapters.gen.ts';
const ACCOUNTS = 'ingress/esps/accounts/accounts.gen.ts';
const ADAPTER_TEMPLATE = 'ingress/esps/scripts/adapter.template.ts';
const ACCOUNT_TEMPLATE = 'ingress/esps/scripts/account.template.ts';
const GUIDE_TEMPLATE = 'ingress/esps/scripts/guide.template.md';
const EVENTS = 'ingress/esps/scripts/events.template.json';

const [name = '', ...rest] = process.argv.slice(2);
const problem = rest.length > 0 ? 'one name, please' : problemWith(name);
if (problem !== null) {
  process.stderr.write(`${problem}\nusage: npm run new:esp NAME\n`);
  process.exit(2);
}
create(name);

function problemWith(esp: string): string | null {
  return slugProblem(esp, {
    exists: () =>
      [adapterOf(esp), `ingress/esps/src/esps/${esp}`, accountOf(esp), guideOf(esp), fixturesOf(esp)].some(
        (path) => existsSync(root + path),
      ),
    sources: () => [ADAPTER_TEMPLATE, ACCOUNT_TEMPLATE, ADAPTERS, ACCOUNTS].map(read),
  });
}

function create(esp: string): void {
  const files = {
    [adapterOf(esp)]: named(esp, read(ADAPTER_TEMPLATE)).replaceAll("'../src/", "'../"),
    [accountOf(esp)]: named(esp, read(ACCOUNT_TEMPLATE)).replaceAll("'../accounts/", "'./"),
    [guideOf(esp)]: named(esp, read(GUIDE_TEMPLATE)).replaceAll('](../guides/', ']('),
  };
  for (const [path, text] of Object.entries(files)) writeFileSync(root + path, text);
  // In processes of their own: this one would have loaded the registries as they were.
  run(['ingress/esps/scripts/gen.ts']);
  run(['test/contracts/new-esp-fixture.ts', esp, 'batch', 'an event of every type'], read(EVENTS));
  process.stdout.write(`${[...Object.keys(files), fixturesOf(esp)].join('\n')}\n\n${nextSteps(esp)}\n`);
}

function named(esp: string, template: string): string {
  return template
    .replaceAll('exampleEsp', identifierOf(esp))
    .replaceAll('Example Esp', titleOf(esp))
    .replaceAll('example-esp', esp);
}

function run(script: string[], input = ''): void {
  const { status } = spawnSync(process.execPath, script, {
    cwd: root,
    input,
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  if (status !== 0) process.exit(1);
}

function nextSteps(esp: string): string {
  return `It works already, for an ESP that does not exist. Next (ingress/ADDING_AN_ESP.md):
1. ${adapterOf(esp)}: make it what the vendor documents
2. ${accountOf(esp)}: sign and speak as the vendor does
3. ${fixturesOf(esp)}: requests of the vendor's in place of the invented one
4. ${guideOf(esp)}: how an operator sets it up
5. npx vitest run --project contracts test/contracts/esp.test.ts test/contracts/docs/guides.test.ts
6. npm run gen`;
}

function adapterOf(esp: string): string {
  return `ingress/esps/src/esps/${esp}.ts`;
}

function accountOf(esp: string): string {
  return `ingress/esps/accounts/${esp}.ts`;
}

function guideOf(esp: string): string {
  return `ingress/esps/guides/${esp}.md`;
}

function fixturesOf(esp: string): string {
  return `ingress/esps/fixtures/${esp}`;
}

function read(path: string): string {
  return readFileSync(root + path, 'utf8');
}
