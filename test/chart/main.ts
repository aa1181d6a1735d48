import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type PipelineConfig, pipelineConfig } from '@email-events/cli/services';
import { parseAllDocuments } from 'yaml';
import { CASES, REFUSED, type Values } from './cases.ts';
import { customProblems, isCustom, type Manifest } from './crds.ts';
import { relationProblems } from './relations.ts';
import { attempt } from './run.ts';
import { installTools } from './tools.ts';

/**
 * `npm run test:chart`: lints the chart, makes it of each set of values, and holds every object against several versions of Kubernetes, what others define
 * against their schemas, and all of them against each other and against what the services say of themselves. Wrong values must be refused. Asks no cluster.
 */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CHART = join(ROOT, 'deploy', 'helm', 'email-events');
const VALIDATE = fileURLToPath(new URL('validate.py', import.meta.url));
const TSC = join(ROOT, 'node_modules', '.bin', 'tsc');
const VERSIONS = ['1.29.0', '1.33.0', '1.37.0'];
const LATEST = '1.37.0';
/** Every kind is in it. */
const WHOLE = 'everything that can be switched on';

const note = (line: string) => process.stdout.write(`${line}\n`);
const tools = await installTools(note);
const folder = mkdtempSync(join(tmpdir(), 'email-events-chart-'));
const counts = { passed: 0, failed: 0 };
try {
  for (const [name, values] of Object.entries(CASES)) report(name, await problemsOf(values));
  report('a field that there is not, in any kind', await unnoticed(CASES[WHOLE] ?? {}));
  for (const [values, why] of REFUSED) report(`refused: ${why.source}`, await acceptedAnyway(values, why));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
note(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed > 0 ? 1 : 0;

function report(what: string, problems: readonly string[]): void {
  counts[problems.length === 0 ? 'passed' : 'failed']++;
  note(`${problems.length === 0 ? 'ok' : 'FAILED'}  ${what}`);
  for (const problem of problems) note(`        ${problem}`);
}

/** JSON is YAML. */
function fileOf(values: Values): string {
  const file = join(folder, 'values.yaml');
  writeFileSync(file, JSON.stringify(values));
  return file;
}

function template(values: Values, version: string) {
  return attempt(tools.helm, [
    ...['template', 'release', CHART, '--namespace', 'mail', '--kube-version', version],
    ...['--values', fileOf(values)],
  ]);
}

async function problemsOf(values: Values): Promise<readonly string[]> {
  const lint = await attempt(tools.helm, [
    ...['lint', CHART, '--strict', '--kube-version', '1.33.0', '--values', fileOf(values)],
  ]);
  if (lint.code !== 0) return [lint.out + lint.err];
  const problems: string[] = [];
  for (const version of VERSIONS) {
    const { code, out, err } = await template(values, version);
    if (code !== 0) return [err];
    const manifests = manifestsOf(out);
    const own = manifests.filter((manifest) => !isCustom(manifest));
    problems.push(await kubernetesProblems(own, version));
    // These do not depend on the version of Kubernetes.
    if (version !== LATEST) continue;
    problems.push(...(await customProblems(manifests.filter(isCustom), tools.models, TSC)));
    for (const config of configsOf(manifests)) problems.push(...relationProblems(manifests, values, config));
    problems.push(...rulesDiffer(manifests));
    note(`      ${manifests.length} objects`);
  }
  return problems.filter((problem) => problem !== '');
}

function manifestsOf(yaml: string): Manifest[] {
  return parseAllDocuments(yaml).flatMap((document) => {
    const [error] = document.errors;
    if (error) throw error;
    return (document.toJS() as Manifest | null) ?? [];
  });
}

/** As the services read it: with what the pods set. */
function configsOf(manifests: readonly Manifest[]): PipelineConfig[] {
  const env = Object.fromEntries(
    manifests
      .flatMap(({ spec }) => spec?.template?.spec?.containers?.[0]?.env ?? [])
      .map(({ name, value }: { name: string; value: string }) => [name, value]),
  );
  return manifests.flatMap(({ data }) => {
    const text = data?.['pipeline.yaml'];
    if (text === undefined) return [];
    const file = join(folder, 'pipeline.yaml');
    writeFileSync(file, text);
    return pipelineConfig.load(file, env, { reads: [] });
  });
}

/** The rules are those that promtool has tested. */
function rulesDiffer(manifests: readonly Manifest[]): string[] {
  return manifests
    .filter(({ kind }) => kind === 'PrometheusRule')
    .flatMap(({ metadata, spec }) => {
      const name = /slo|alerts/.exec(metadata.name)?.[0];
      const [file] = parseAllDocuments(
        readFileSync(join(ROOT, 'deploy', 'prometheus', `${name}.rules.yml`), 'utf8'),
      );
      return JSON.stringify(file?.toJS()) === JSON.stringify(spec)
        ? []
        : [`${metadata.name} has other rules`];
    });
}

/** Kinds in which the validation passes over a field that they do not have: it could not find anything then. */
async function unnoticed(values: Values): Promise<readonly string[]> {
  const manifests = manifestsOf((await template(values, LATEST)).out);
  const found = await Promise.all(
    [...new Map(manifests.map((one) => [one.kind, one])).values()].map(async (manifest) => {
      const field = { noSuchField: 1 };
      const wrong = { ...manifest, ...(manifest.spec ? { spec: { ...manifest.spec, ...field } } : field) };
      const problems = isCustom(wrong)
        ? (await customProblems([wrong], tools.models, TSC)).join()
        : await kubernetesProblems([wrong], LATEST);
      return problems.includes('noSuchField') ? [] : [manifest.kind];
    }),
  );
  return found.flat();
}

/** Empty: there is none. */
async function kubernetesProblems(manifests: readonly Manifest[], version: string): Promise<string> {
  const { code, out, err } = await attempt('python3', [VALIDATE, version], {
    env: { ...process.env, PYTHONPATH: tools.python },
    input: JSON.stringify(manifests),
  });
  return code === 0 ? '' : out + err;
}

async function acceptedAnyway(values: Values, why: RegExp): Promise<readonly string[]> {
  const { code, err } = await template(values, '1.33.0');
  if (code === 0) return ['it was accepted'];
  return why.test(err) ? [] : [`the message is another: ${err}`];
}
