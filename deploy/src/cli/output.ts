/** The only places that write to standard output and standard error. */
export const print = (text: string): void => void process.stdout.write(`${text}\n`);
export const note = (text: string): void => void process.stderr.write(`${text}\n`);
export const printJson = (value: unknown): void => print(JSON.stringify(value, jsonSafe, 2));
export const printJsonLine = (value: unknown): void => print(JSON.stringify(value, jsonSafe));

/** Offsets are bigints: numbers where they fit, texts beyond. */
function jsonSafe(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

type Cell = string | number;

/** A table without lines: columns that fit their content. Numbers are set to the right. */
export async function renderTable(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
): Promise<string> {
  const { default: Table } = await import('cli-table3');
  const { default: pc } = await import('picocolors');
  const rightAligned = (column: number) =>
    rows.length > 0 && rows.every((row) => typeof row[column] === 'number' || row[column] === '');
  const table = new Table({
    head: head.map((text) => pc.dim(text)),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2, compact: true },
    colAligns: head.map((_, column) => (rightAligned(column) ? 'right' : 'left')),
    chars: NO_LINES,
  });
  for (const row of rows)
    table.push(row.map((cell) => (typeof cell === 'number' ? formatCount(cell) : cell)));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** 12345 → 12,345. */
export const formatCount = (count: number): string => count.toLocaleString('en-US');

const NO_LINES = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
    'middle',
  ].map((name) => [name, '']),
);
