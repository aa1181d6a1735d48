import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLI_CODES } from '@email-events/cli/codes';
import { codeTables, services } from '@email-events/cli/services';
import { CORE_CODES } from '@email-events/core/codes';
import { RUN_CODES } from '@email-events/dev/codes';
import { STACK_ERROR_CODES } from '@email-events/dev/stack';
import { NORMALIZE_CODES, REFUSAL_CODES } from '@email-events/esps';
import { schemaErrorCodes } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { ROOT, workspaces } from './workspaces.ts';

/** Every error of this project extends CodedError, so that it has a code, and its code says which stage gives it. */
const BASE = 'schemas/src/errors.ts';
const STAGES =
  /^(?:CONFIG|KAFKA|STATE|INGRESS|NORMALIZE|EVENTS|ALERTS|PROCESSOR|SINK|LOOKUP|RUN|STACK|SERVICE|CLI|INSPECT|DLQ|BACKFILL|REGISTRY|TRACES|SCHEMA|VALUE)_[A-Z_]+$/;

const sources = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter(
    (path) => path !== '' && existsSync(join(ROOT, path)) && path !== BASE && !path.endsWith('.test.ts'),
  );

/** Classes whose base is an error that does not come to CodedError, as `path: Name`. */
function strangersIn(files: readonly (readonly [path: string, text: string])[]): string[] {
  const known = new Set(['CodedError']);
  const found = files.flatMap(([path, text]) =>
    [...text.matchAll(/class (\w+)(?:<.*?>)? extends ((?:\w+\.)?\w*Error)\b/g)].map(
      ([, name = '', base = '']) => ({
        path,
        name,
        base,
      }),
    ),
  );
  for (let before = -1; before !== known.size; ) {
    before = known.size;
    for (const { name, base } of found) if (known.has(base)) known.add(name);
  }
  return found.filter(({ base }) => !known.has(base)).map(({ path, name }) => `${path}: ${name}`);
}

test('every class of an error extends the one base', () => {
  const files = [BASE, ...sources].map((path) => [path, read(path)] as const);
  expect(strangersIn(files)).toEqual([`${BASE}: CodedError`]);
});

test('a class that extends another error is found', () => {
  const text =
    'class A<T extends U = U> extends Error {}\nclass B extends CodedError<C> {}\nclass D extends RangeError {}';
  const more =
    'class BError extends CodedError {}\nclass E extends BError {}\nclass F extends kafka.KafkaJSError {}';
  expect(
    strangersIn([
      ['a.ts', text],
      ['b.ts', more],
    ]),
  ).toEqual(['a.ts: A', 'a.ts: D', 'b.ts: F']);
});

test('every code begins with its stage', () => {
  const codes = [
    ...Object.values(codeTables).flatMap((table) => Object.keys(table)),
    ...Object.keys(RUN_CODES),
    ...Object.keys(STACK_ERROR_CODES),
    ...NORMALIZE_CODES,
    ...schemaErrorCodes,
  ];
  expect(codes.filter((code) => !STAGES.test(code))).toEqual([]);
});

const ofEsps: readonly string[] = [...NORMALIZE_CODES, ...REFUSAL_CODES];

/** Codes by the package that declares them. */
const DECLARED: { readonly [folder: string]: readonly string[] } = {
  schemas: schemaErrorCodes,
  core: Object.keys(CORE_CODES),
  'ingress/esps': ofEsps,
  ingress: Object.keys(codeTables.ingress ?? {}),
  // Without those of requests beyond their budget: adapters give them, and `normalize`, which sets it, explains them.
  processors: [codeTables.normalize, codeTables.events, codeTables.alerts]
    .flatMap((table) => Object.keys(table ?? {}))
    .filter((code) => !ofEsps.includes(code)),
  ...Object.fromEntries(
    services
      .filter(({ entry }) => entry.startsWith('sinks/'))
      .map(({ entry, codes }) => [entry.split('/', 2).join('/'), Object.keys(codes)]),
  ),
  'deploy/cli': Object.keys(CLI_CODES),
  'deploy/dev': [...Object.keys(RUN_CODES), ...Object.keys(STACK_ERROR_CODES)],
};

/** Of a source's secrets and options, which adapters judge as a part of the configuration. */
const SETTINGS = 'CONFIG_INVALID';

test('a code is declared once', () => {
  const codes = Object.values(DECLARED).flat();
  expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
  const inTables = Object.values(codeTables).flatMap((table) => Object.keys(table));
  expect(inTables.filter((code) => !codes.includes(code))).toEqual([]);
});

test.for(Object.keys(DECLARED))(
  '%s gives codes that it declares, or that a package below it does',
  (folder) => {
    const manifests = workspaces();
    const below = manifests.find((manifest) => manifest.folder === folder)?.declared ?? [];
    const known = new Set(
      manifests
        .filter((manifest) => manifest.folder === folder || below.includes(manifest.name))
        .flatMap((manifest) => DECLARED[manifest.folder] ?? []),
    );
    const others = Object.values(DECLARED)
      .flat()
      .filter((code) => !known.has(code) && !(folder === 'ingress/esps' && code === SETTINGS));
    const own = sources.filter((path) => path.startsWith(`${folder}/src/`));
    const text = own.map(read).join('\n');
    expect(others.filter((code) => text.includes(`'${code}'`))).toEqual([]);
  },
);

test('one place judges the errors of kafkajs and of brokers', () => {
  const judges = sources.filter((path) => /\.retriable\b|'KafkaJS\w+'/.test(read(path)));
  expect(judges).toEqual(['core/src/kafka/errors.ts']);
});

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
