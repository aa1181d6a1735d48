/** `npm run bench -- NAME [options]`: each benchmark starts what it needs, prints its figures and writes them to bench-results/. */
const BENCHMARKS: { readonly [name: string]: string } = {
  ingress: './ingress.ts',
  processors: './processors.ts',
  clickhouse: './clickhouse.ts',
  'end-to-end': './end-to-end.ts',
  adapters: './adapters.ts',
  restore: './restore.ts',
  growth: './growth.ts',
  capacity: './capacity.ts',
  volume: './volume.ts',
  lookup: './lookup.ts',
  unsigned: './unsigned.ts',
  amplification: './amplification.ts',
  crm: './crm.ts',
  analytics: './analytics.ts',
};

const [name = '', ...args] = process.argv.slice(2);
const module = Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[name] : undefined;
if (module === undefined) {
  process.stderr.write(`usage: npm run bench -- ${Object.keys(BENCHMARKS).join(' | ')} [options]\n`);
  process.exit(2);
}
const { run } = (await import(module)) as { run: (args: string[]) => Promise<void> };
await run(args);
process.exit(0);
