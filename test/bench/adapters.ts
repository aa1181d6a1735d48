import { type EspRequest, normalizeRequest, toEmailEvent, type Verifier } from '@email-events/esps';
import {
  adapterOf,
  type LoadedFixture,
  loadFixtures,
  requestOf,
  verifierOf,
} from '../contracts/esp-fixtures.ts';
import { espArguments, writeResult } from '../src/result.ts';

// The cost of an adapter, on one thread and without anything around it: proving a request, and making events of it.
// Fixtures are signed as the ESP signs, so each verification is a whole one, key handling included.
// CPU time of the thread, not time on the wall: what else the machine does is not the adapter's cost.

const WARM_UP_MS = 150;
const ROUND_MS = 30;
const ROUNDS = 11;

interface Case {
  readonly request: EspRequest;
  readonly verifier: Verifier;
  readonly events: number;
}

interface Cost {
  readonly esp: string;
  readonly requests: number;
  readonly events: number;
  /** Microseconds. */
  readonly verify: number;
  readonly read: number;
}

/** `npm run bench -- adapters [ESP …] [--rounds N]` */
export async function run(args: string[]): Promise<void> {
  const { esps, rounds, isPart } = espArguments(args, ROUNDS);
  const costs = esps.map((esp) => costOf(esp, rounds));
  printTable(costs);
  const figures = costs.flatMap(({ esp, verify, read }): [string, number][] => [
    [`${esp}: verify, µs/request`, rounded(verify)],
    [`${esp}: read, µs/event`, rounded(read)],
  ]);
  const name = isPart ? 'adapters-part' : 'adapters';
  await writeResult(name, { rounds, ...Object.fromEntries(figures) });
}

/** Medians over rounds. Each round goes over all of the ESP's fixtures, several times. */
function costOf(esp: string, rounds: number): Cost {
  const cases = loadFixtures(esp).filter(isOrdinary).map(toCase);
  if (cases.length === 0) throw new Error(`${esp} has no fixture that is verified and has events`);
  const events = cases.reduce((sum, one) => sum + one.events, 0);
  const verify = medianMicroseconds(rounds, () => verifyAll(cases));
  const read = medianMicroseconds(rounds, () => readAll(esp, cases));
  return { esp, requests: cases.length, events, verify: verify / cases.length, read: read / events };
}

/** Refusals, handshakes and dead letters take other ways through an adapter. */
function isOrdinary({ fixture: { expected } }: LoadedFixture): boolean {
  return (
    expected.verified &&
    !expected.handshake &&
    expected.events.length > 0 &&
    expected.deadLetters.length === 0
  );
}

function toCase(loaded: LoadedFixture): Case {
  return {
    request: requestOf(loaded.fixture),
    verifier: verifierOf(loaded),
    events: loaded.fixture.expected.events.length,
  };
}

function verifyAll(cases: readonly Case[]): void {
  for (const { request, verifier } of cases) {
    const { outcome } = verifier.verify(request);
    if (outcome !== 'verified') throw new Error(`a genuine request was ${outcome}`);
  }
}

function readAll(esp: string, cases: readonly Case[]): void {
  const adapter = adapterOf(esp);
  for (const { request, events } of cases) {
    const origin = {
      esp,
      source: 'bench',
      request_id: 'bench',
      received_at: request.receivedAt,
      raw_partition: 0,
      raw_offset: 0,
    };
    let made = 0;
    for (const result of normalizeRequest(adapter, request).results) {
      if (!('events' in result)) throw new Error(`${esp}: an event was refused with ${result.code}`);
      for (const event of result.events) {
        if (toEmailEvent(event, { ...origin, item_index: result.index }).event_id !== '') made++;
      }
    }
    if (made !== events) throw new Error(`${esp}: ${made} events instead of ${events}`);
  }
}

function cpuMicroseconds(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

/** Median cost of one pass. Passes for a while first, which also tells how many make a round. */
function medianMicroseconds(rounds: number, pass: () => void): number {
  const warm = cpuMicroseconds() + WARM_UP_MS * 1000;
  let passes = 0;
  while (cpuMicroseconds() < warm) {
    pass();
    passes++;
  }
  const perRound = Math.max(1, Math.round((passes * ROUND_MS) / WARM_UP_MS));
  const durations = Array.from({ length: rounds }, () => {
    const start = cpuMicroseconds();
    for (let i = 0; i < perRound; i++) pass();
    return (cpuMicroseconds() - start) / perRound;
  });
  return durations.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? Number.NaN;
}

function printTable(costs: readonly Cost[]): void {
  const header = ['ESP', 'requests', 'events', 'verify µs/request', 'read µs/event'];
  const rows = costs.map(({ esp, requests, events, verify, read }) => [
    esp,
    String(requests),
    String(events),
    verify.toFixed(1),
    read.toFixed(1),
  ]);
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  for (const row of [header, ...rows]) {
    const [first = '', ...rest] = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    process.stdout.write(`${[first, ...rest].join('  ')}\n`);
  }
}

function rounded(microseconds: number): number {
  return Math.round(microseconds * 10) / 10;
}
