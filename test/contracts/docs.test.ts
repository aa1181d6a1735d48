import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { codeTables } from '@email-events/cli/services';
import { RUN_CODES } from '@email-events/dev/codes';
import { createProgram } from '@email-events/dev/program';
import { STACK_ERROR_CODES } from '@email-events/dev/stack';
import { NORMALIZE_CODES, REFUSAL_CODES } from '@email-events/esps';
import { schemaErrorCodes } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { INGRESS_CODES } from '../../ingress/src/codes.ts';
import { metricsNamedIn } from '../src/metrics-page.ts';
import { codeMentions, commandsIn, headingAnchors, linksIn, tabledCodes } from './docs/blocks.ts';

/** Files, headings, commands with their options and error codes that the documentation names must exist. */
const root = fileURLToPath(new URL('../../', import.meta.url));
const documents = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', '-z', '*.md'],
  { cwd: root, encoding: 'utf8' },
)
  .split('\0')
  .filter((path) => path !== '' && existsSync(join(root, path)))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

const scripts = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object }).scripts;

const CODES: { readonly [document: string]: readonly string[] } = {
  'deploy/ERRORS.md': Object.values(codeTables).flatMap((codes) => Object.keys(codes)),
  'deploy/dev/ERRORS.md': Object.keys(RUN_CODES),
  'deploy/dev/src/stack/README.md': Object.keys(STACK_ERROR_CODES),
  'ingress/README.md': Object.keys(INGRESS_CODES),
  'ingress/esps/README.md': NORMALIZE_CODES,
  'schemas/README.md': schemaErrorCodes,
};
const ALL_CODES = new Set([...Object.values(CODES).flat(), ...REFUSAL_CODES]);

test('there is documentation', () => {
  expect(documents.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'test/README.md']),
  );
});

test.for(documents)('$path: links lead somewhere', ({ path, text }) => {
  expect(linksIn(text).filter((link) => !leadsSomewhere(path, link))).toEqual([]);
});

test.for(documents)('$path: commands exist', ({ path, text }) => {
  const problems = commandsIn(text).map((words) => problemOf(words, dirname(path)));
  expect(problems.filter((problem) => problem !== null)).toEqual([]);
});

test.for(Object.entries(CODES))('%s lists every error code and no other', ([path, codes]) => {
  const text = documents.find((document) => document.path === path)?.text ?? '';
  expect(tabledCodes(text).sort()).toEqual([...codes].sort());
});

test.for(documents)('$path: error codes exist', ({ text }) => {
  const prefixes = new Set([...ALL_CODES].map((code) => code.split('_')[0]));
  const unknown = codeMentions(text).filter(
    (code) => prefixes.has(code.split('_')[0]) && !ALL_CODES.has(code) && !isEnvironment(code),
  );
  expect(unknown).toEqual([]);
});

const METRICS = metricsNamedIn(readFileSync(join(root, 'deploy/METRICS.md'), 'utf8'));
const MIGRATIONS = globSync('sinks/clickhouse/migrations/*.sql', { cwd: root })
  .map((path) => readFileSync(join(root, path), 'utf8'))
  .join('\n');

test.for(documents.filter(({ path }) => path !== 'CHANGELOG.md'))('$path: metrics exist', ({ text }) => {
  const isTable = (name: string) => MIGRATIONS.includes(name);
  const isMetric = (name: string) =>
    name.endsWith('*')
      ? METRICS.some((metric) => metric.startsWith(name.slice(0, -1)))
      : METRICS.includes(name.replace(/_(?:bucket|sum|count)$/, ''));
  expect(metricsNamedIn(text).filter((name) => !isMetric(name) && !isTable(name))).toEqual([]);
});

test('the command line says what it can', () => {
  const help = execFileSync(process.execPath, [join(root, 'deploy/cli/bin/email-events.mjs'), '--help'], {
    encoding: 'utf8',
  });
  for (const { name } of commands()) expect(help).toContain(`\n  ${name}`);
});

function leadsSomewhere(from: string, link: string): boolean {
  const [file = '', anchor] = link.split('#');
  const target = file === '' ? from : normalize(join(dirname(from), file));
  if (!existsSync(join(root, target))) return false;
  if (anchor === undefined) return true;
  return headingAnchors(readFileSync(join(root, target), 'utf8')).includes(anchor);
}

/** Says why a command is wrong, or null. Programs that are not the project's own are left alone. */
function problemOf(words: readonly string[], folder: string): string | null {
  const line = words.join(' ');
  const [program, first = '', ...rest] = words;
  if (program === 'npm') {
    const script = first === 'run' ? rest[0] : first;
    if (first !== 'run' && !['start', 'test'].includes(first)) return null;
    if (!Object.hasOwn(scripts, script ?? '')) return `no such script: ${line}`;
    return first === 'start' && rest[0] === '--' ? commandProblem(['start', ...rest.slice(1)], line) : null;
  }
  if (program === 'npx' && first === 'email-events') return commandProblem(rest, line);
  if (program === 'node' || (program === 'npx' && first === 'node')) {
    if (program === 'node' && words.some((word) => word.endsWith('.ts')))
      return `needs npx, for its Node: ${line}`;
    // `<package>` and the like stand for any.
    const script = words.find((word) => /^[^<]+\.(ts|mjs)$/.test(word));
    const there = !script || [root, join(root, folder)].some((base) => isFile(join(base, script)));
    return there ? null : `no such file: ${line}`;
  }
  return null;
}

function commandProblem(args: readonly string[], line: string): string | null {
  const [first = '--help', ...rest] = args;
  // `<command>`, COMMAND and the like stand for any.
  if (first === '--help' || /^[<A-Z]/.test(first)) return null;
  if (first === 'help') return rest[0] ? commandProblem(rest, line) : null;
  const command = commands().find(({ name }) => name === first);
  if (!command) return `no such command: ${line}`;
  const child = command.children.find(({ name }) => name === rest[0]);
  if (command.children.length > 0 && !child) return `no such command: ${line}`;
  const options = [...GLOBAL_OPTIONS, ...(child ?? command).options];
  const unknown = rest.filter((word) => word.startsWith('--') && !options.includes(word.split('=')[0] ?? ''));
  return unknown.length > 0 ? `no such option ${unknown.join(' ')}: ${line}` : null;
}

const EMAIL_EVENTS = await createProgram();
const GLOBAL_OPTIONS = ['--help', '--json', '--verbose', '--config'];

interface KnownCommand {
  readonly name: string;
  readonly options: readonly string[];
  readonly children: readonly KnownCommand[];
}

function commands(): KnownCommand[] {
  const known = (command: Awaited<ReturnType<typeof createProgram>>): KnownCommand => ({
    name: command.name(),
    options: command.options.map(({ long }) => long ?? ''),
    children: command.commands.map(known),
  });
  return EMAIL_EVENTS.commands.map(known);
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

/** Names of environment variables look like codes. */
function isEnvironment(name: string): boolean {
  return (
    name === 'KAFKA_BROKERS' || name.endsWith('_VERSION') || name.endsWith('_SECRET') || name.endsWith('_KEY')
  );
}
