// `npm run new:sink NAME [-- --at-least-once]`: a sink that works, in one folder, to be changed into the one that is wanted.
// sinks/ADDING_A_SINK.md says what to change.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
// biome-ignore lint/correctness/noUndeclaredDependencies: scripts of the repository have no manifest of their own.
import { identifierOf, slugProblem, titleOf } from '@email-events/schemas/tools';

const root = fileURLToPath(new URL('../../', import.meta.url));
const TEMPLATE = 'sinks/scripts/template';
/** Written over the template's `src` for a destination that can neither deduplicate nor replace a batch. */
const AT_LEAST_ONCE = `${TEMPLATE}/at-least-once`;
const SERVICES = 'deploy/cli/src/services.ts';
const MANIFEST = 'deploy/cli/package.json';
const LOCK = 'package-lock.json';
const IMAGE = 'deploy/images/email-events/Dockerfile';

const PROMISES = {
  exactlyOnce:
    'Every event as a line of exactly one file, `<batch>.ndjson`: a batch is a file that appears whole, and the same batch that\ncomes again, after a crash, comes to the same file, which keeps what it has.',
  atLeastOnce:
    'Every event as a line of a file, at least once: after a crash or a failure some are there again, so readers take each `event_id` once.',
} as const;

const { values, positionals } = parseArgs({
  options: { 'at-least-once': { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [name = '', ...rest] = positionals;
const problem = rest.length > 0 ? 'one name, please' : problemWith(name);
if (problem !== null) {
  process.stderr.write(`${problem}\nusage: npm run new:sink NAME [-- --at-least-once]\n`);
  process.exit(2);
}
create(name, values['at-least-once']);

function problemWith(slug: string): string | null {
  return slugProblem(slug, {
    exists: () => existsSync(`${root}sinks/${slug}`),
    sources: () => [read(SERVICES)],
  });
}

function create(slug: string, atLeastOnce: boolean): void {
  // All texts are made before the first is written: an anchor that is gone leaves nothing half done.
  const files = { ...folderOf(slug, atLeastOnce), ...changed(slug) };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(root + path), { recursive: true });
    writeFileSync(root + path, text);
  }
  link(slug);
  const sources = Object.keys(files).filter((path) => /\.(ts|json)$/.test(path) && path !== LOCK);
  execFileSync(`${root}node_modules/.bin/biome`, ['check', '--write', ...sources], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  process.stdout.write(`${Object.keys(files).join('\n')}\n\n${nextSteps(slug)}\n`);
}

/** The new package. */
function folderOf(slug: string, atLeastOnce: boolean): { [path: string]: string } {
  const folder = `sinks/${slug}`;
  const source = (file: string) => {
    const other = `${AT_LEAST_ONCE}/${file}`;
    return atLeastOnce && existsSync(root + other) ? other : `${TEMPLATE}/src/${file}`;
  };
  const readme = read(`${TEMPLATE}/README.md`);
  const promise = PROMISES[atLeastOnce ? 'atLeastOnce' : 'exactlyOnce'];
  const texts = {
    [`${folder}/package.json`]: read(`${TEMPLATE}/package.json`),
    [`${folder}/tsconfig.json`]: read('sinks/crm/tsconfig.json'),
    [`${folder}/README.md`]: readme.replace('{{promise}}', promise),
    ...Object.fromEntries(
      readdirSync(`${root}${TEMPLATE}/src`).map((file) => [`${folder}/src/${file}`, read(source(file))]),
    ),
  };
  return Object.fromEntries(Object.entries(texts).map(([path, text]) => [path, named(text, slug)]));
}

function named(text: string, slug: string): string {
  const identifier = identifierOf(slug);
  return text
    .replaceAll("'../../../../test/", "'../../../test/")
    .replaceAll("'../src/", "'./")
    .replaceAll('adminPort(9099)', `adminPort(${freePort()})`)
    .replaceAll('NdjsonFiles', `${identifier.charAt(0).toUpperCase()}${identifier.slice(1)}`)
    .replaceAll('ndjsonFiles', identifier)
    .replaceAll('NDJSON_FILES', slug.replaceAll('-', '_').toUpperCase())
    .replaceAll('ndjson-files', slug);
}

/** The port above those of all other services. */
function freePort(): number {
  const configs = globSync('{ingress,processors,sinks}/**/src/**/config.ts', { cwd: root });
  const ports = configs
    .filter((path) => !path.startsWith(TEMPLATE) && !path.includes('node_modules'))
    .flatMap((path) => [...read(path).matchAll(/adminPort\(\s*([\d_]+)/g)])
    .map(([, port = '']) => Number(port.replaceAll('_', '')));
  return Math.max(...ports) + 1;
}

/** Files that exist already: the list of services, the manifest of the package that has it, the lock file and the image. */
function changed(slug: string): { [path: string]: string } {
  const [packageName, sink] = [`@email-events/sink-${slug}`, `${identifierOf(slug)}Sink`];
  const services = read(SERVICES);
  const list = /^(export const services = \[[^\]]*?),?(\s*\] as const;)$/m;
  const imports = [...services.matchAll(/^import .* from '@email-events\/.*';\n/gm)];
  const last = imports.at(-1);
  if (!last || !list.test(services)) throw new Error(`${SERVICES} is not as it was`);
  const at = last.index + last[0].length;
  const imported = `${services.slice(0, at)}import { ${sink} } from '${packageName}/service';\n${services.slice(at)}`;
  const manifest = JSON.parse(read(MANIFEST)) as Manifest;
  manifest.dependencies = sorted({ ...manifest.dependencies, [packageName]: '0.1.0' });
  return {
    [SERVICES]: imported.replace(list, `$1, ${sink}$2`),
    [MANIFEST]: json(manifest),
    [LOCK]: json(locked(slug, packageName)),
    [IMAGE]: imaged(read(IMAGE), slug, freePort()),
  };
}

/** The image with the sink's manifest, its packages, its source and its port, behind those of the other sinks. */
function imaged(image: string, slug: string, port: number): string {
  const anchors = [
    [/(?:^COPY sinks\/\S+\/package\.json .*\n)+/m, `COPY sinks/${slug}/package.json sinks/${slug}/\n`],
    [/(?: --workspace=sinks\/\S+)+/, ` --workspace=sinks/${slug}`],
    [/(?:^COPY sinks\/\S+ sinks\/\S+[^/\n]\n)+/m, `COPY sinks/${slug}/src sinks/${slug}/src\n`],
    [/^EXPOSE [\d ]+/m, ` ${port}`],
  ] as const;
  return anchors.reduce((text, [anchor, added]) => {
    if (!anchor.test(text)) throw new Error(`${IMAGE} is not as it was`);
    return text.replace(anchor, (found) => found + added);
  }, image);
}

interface Manifest {
  readonly version: string;
  readonly license: string;
  dependencies: { [name: string]: string };
}

/** The lock file as `npm install` would leave it. */
function locked(slug: string, packageName: string): object {
  const lock = JSON.parse(read(LOCK)) as { packages: { [path: string]: object } };
  const { version, license, dependencies } = JSON.parse(read(`${TEMPLATE}/package.json`)) as Manifest;
  const cli = lock.packages[dirname(MANIFEST)] as Manifest;
  lock.packages = sorted({
    ...lock.packages,
    [dirname(MANIFEST)]: { ...cli, dependencies: sorted({ ...cli.dependencies, [packageName]: version }) },
    [`sinks/${slug}`]: { name: packageName, version, license, dependencies },
    [`node_modules/${packageName}`]: { resolved: `sinks/${slug}`, link: true },
  });
  return lock;
}

/** As `npm install` would: the package is found by its name. */
function link(slug: string): void {
  const path = `${root}node_modules/@email-events/sink-${slug}`;
  rmSync(path, { force: true });
  symlinkSync(`../../sinks/${slug}`, path);
}

function sorted<T>(entries: { [key: string]: T }): { [key: string]: T } {
  return Object.fromEntries(Object.entries(entries).sort(([a], [b]) => a.localeCompare(b, 'en')));
}

function nextSteps(slug: string): string {
  return `${titleOf(slug)} works already: it writes events into files. Next (sinks/ADDING_A_SINK.md):
1. sinks/${slug}/src/sink.ts: write to the destination
2. sinks/${slug}/src/config.ts and codes.ts: what it needs to be told, what can go wrong
3. npx vitest run --project unit sinks/${slug}
4. npm run gen`;
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function read(path: string): string {
  return readFileSync(root + path, 'utf8');
}
