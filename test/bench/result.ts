import { mkdir, writeFile } from 'node:fs/promises';

/** Prints a benchmark's figures and writes them to bench-results/<name>.json. */
export async function publishResult(
  name: string,
  figures: { readonly [figure: string]: number | string },
): Promise<void> {
  const width = Math.max(...Object.keys(figures).map((key) => key.length));
  for (const [key, value] of Object.entries(figures)) {
    process.stdout.write(`${key.padEnd(width)}  ${value}\n`);
  }
  await writeResult(name, figures);
}

/** For a benchmark that prints its figures in a form of its own. */
export async function writeResult(
  name: string,
  figures: { readonly [figure: string]: number | string },
): Promise<void> {
  await mkdir('bench-results', { recursive: true });
  const result = { benchmark: name, at: new Date().toISOString(), node: process.version, ...figures };
  await writeFile(`bench-results/${name}.json`, `${JSON.stringify(result, null, 2)}\n`);
}
