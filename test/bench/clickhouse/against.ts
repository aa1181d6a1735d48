import type { EmailEvent } from '@email-events/schemas';
import { ratioOf, type Spread, spreadOf } from '../peers/rounds.ts';
import { eventOf, type TypedRecord, typedRecords } from '../typed-events.ts';
import { runSinkRound, type SinkRound, type SinkSide, type Typed } from './side.ts';
import type { SinkStack } from './stack.ts';

export interface SinkComparison {
  readonly rows: number;
  readonly warmUp: number;
  readonly rounds: number;
}

const MEASURES: { readonly [measure in keyof SinkRound]: readonly [title: string, digits: number] } = {
  rowsPerSecond: ['rows/s', 0],
  cpuUs: ['CPU µs a row', 1],
  peakMb: ['peak MB', 0],
  rowsPerInsert: ['rows an insert', 0],
};

/** The same events for both, in turn, each into tables of its own. Throws when the tables do not hold the same rows in the end. */
export async function compareSinks(
  { config }: SinkStack,
  sides: readonly [SinkSide, SinkSide],
  { rows, warmUp, rounds }: SinkComparison,
): Promise<{ readonly [figure: string]: string }> {
  const recordOf = await typedRecords(config);
  let written = 0;
  const round = async (count: number, order: readonly SinkSide[]) => {
    for (const side of sides) await side.hold(typedEvents(written, count, recordOf));
    written += count;
    const found = new Map<SinkSide, SinkRound>();
    for (const side of order) {
      found.set(side, await runSinkRound(side, count));
      await side.rest();
    }
    return found;
  };
  if (warmUp > 0) await round(warmUp, sides);
  const all: Map<SinkSide, SinkRound>[] = [];
  for (let i = 0; i < rounds; i++) {
    const found = await round(rows, i % 2 === 0 ? sides.toReversed() : sides);
    for (const [{ name }, { rowsPerSecond, cpuUs }] of found)
      process.stdout.write(
        `round ${i + 1}: ${name} ${rowsPerSecond.toFixed(0)} rows/s, ${cpuUs.toFixed(1)} µs\n`,
      );
    all.push(found);
  }
  const [ours, peer] = await Promise.all(sides.map((side) => side.digest()));
  const others = Object.keys(ours ?? {}).filter((column) => peer && ours?.[column] !== peer[column]);
  if (others.length > 0) throw new Error(`the tables do not hold the same rows: ${others.join(', ')}`);
  const same = peer === undefined ? 'counted on both sides' : 'in both tables and rollups, the same ones';
  return report(sides, all, `${written} rows ${same}`);
}

function* typedEvents(
  from: number,
  count: number,
  recordOf: (event: EmailEvent) => TypedRecord,
): Generator<Typed> {
  for (let n = from; n < from + count; n++) {
    const event = eventOf(n);
    yield { event, record: recordOf(event) };
  }
}

const COLUMN = 26;

function report(
  sides: readonly [SinkSide, SinkSide],
  all: readonly ReadonlyMap<SinkSide, SinkRound>[],
  counted: string,
): { [figure: string]: string } {
  const figures: { [figure: string]: string } = {};
  const [ours, peer] = sides;
  const lines = [['', ours.name, peer.name, 'ratio']];
  for (const [measure, [title, digits]] of Object.entries(MEASURES)) {
    const of = (side: SinkSide) =>
      all.map((found) => found.get(side)?.[measure as keyof SinkRound] ?? Number.NaN);
    const cells = [
      ...sides.map((side) => shown(spreadOf(of(side)), digits)),
      shown(ratioOf(of(ours), of(peer)), 2),
    ];
    lines.push([title, ...cells]);
    Object.assign(figures, {
      [`${measure}_${ours.name}`]: cells[0],
      [`${measure}_${peer.name}`]: cells[1],
      [`${measure}_ratio`]: cells[2],
    });
  }
  const text = lines
    .map((cells) =>
      cells
        .map((cell) => cell.padEnd(COLUMN))
        .join('')
        .trimEnd(),
    )
    .join('\n');
  process.stdout.write(`\n${text}\n${counted}\n`);
  return figures;
}

const shown = ({ median, least, most }: Spread, digits: number) =>
  `${median.toFixed(digits)} (${least.toFixed(digits)} – ${most.toFixed(digits)})`;
