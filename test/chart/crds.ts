import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { attempt } from './run.ts';

/** An object that the chart makes. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels?: { readonly [key: string]: string };
    readonly annotations?: { readonly [key: string]: string };
  };
  // biome-ignore lint/suspicious/noExplicitAny: what is in it depends on the kind, and is asked for by path.
  readonly spec?: any;
  readonly data?: { readonly [key: string]: string };
}

/** Who defines kinds that Kubernetes does not. */
const PACKAGES: { readonly [group: string]: string } = {
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};

const groupOf = ({ apiVersion }: Manifest) => apiVersion.split('/')[0] ?? '';

export const isCustom = (manifest: Manifest): boolean => groupOf(manifest) in PACKAGES;

const moduleOf = (manifest: Manifest) => `${manifest.apiVersion}/${manifest.kind}`;

/**
 * Everything that is wrong with these. Twice over, as a schema lets unknown fields pass: by the schema, and as a literal of the type that belongs to it, which the
 * compiler takes only without any field more.
 */
export async function customProblems(
  manifests: readonly Manifest[],
  models: string,
  tsc: string,
): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const manifest of manifests) {
    const path = join(models, 'node_modules', PACKAGES[groupOf(manifest)] ?? '', `${moduleOf(manifest)}.js`);
    const loaded = (await import(pathToFileURL(path).href)) as {
      [kind: string]: new (data: Manifest) => { validate(): void };
    };
    const Model = loaded[manifest.kind];
    if (!Model) throw new Error(`${path} has no ${manifest.kind}`);
    try {
      new Model(manifest).validate();
    } catch (error) {
      problems.push(`${manifest.kind} ${manifest.metadata.name}: ${error}`);
    }
  }
  const lines = manifests.flatMap((manifest, i) => [
    `import type { I${manifest.kind} as T${i} } from '${PACKAGES[groupOf(manifest)]}/${moduleOf(manifest)}';`,
    `export const m${i}: T${i} = ${JSON.stringify(manifest)};`,
  ]);
  const file = `made-${randomUUID()}.ts`;
  writeFileSync(join(models, file), `${lines.join('\n')}\n`);
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--ignoreConfig', '--target', 'esnext'];
  const modules = ['--module', 'esnext', '--moduleResolution', 'bundler', '--types', ''];
  const { code, out } = await attempt(tsc, [...options, ...modules, file], { cwd: models });
  rmSync(join(models, file));
  if (code !== 0) problems.push(out.trim());
  return problems;
}
