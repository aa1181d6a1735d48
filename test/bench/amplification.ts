import { encodeRawHeaders, type InputRecord, Registry, silentLog } from '@email-events/core';
import { createRandom } from '@email-events/dev/simulate';
import { FREE_OUTPUT_BYTES } from '@email-events/esps';
import { deadLetterReport, encoderOf, NormalizeStage, tokenSettings } from '@email-events/processors/testing';
import { Account } from '../abuse/account.ts';
import { ATTACKS, type AttackContext } from '../abuse/attacks/index.ts';
import { ALL_ESPS } from '../abuse/story.ts';
import { loadFixtures } from '../contracts/esp-fixtures.ts';
import { type Inflation, inflated } from '../contracts/esp-inflated.ts';
import { espArguments, writeResult } from '../src/result.ts';

// How many bytes `normalize` writes for one that it reads, dead letters included, at the worst that is known: every fixture blown up in
// many ways, and every genuine request of test/abuse. Up to FREE_OUTPUT_BYTES a request may come to any multiple of itself: fifty addressees
// of a small event are no attack. So there are two figures, of what stays below that and of what exceeds it, which the budget bounds.

const BODY_LIMIT = 1_048_576;
const INFLATIONS: readonly Inflation[] = [1, 10, 50, 200, 700, 2_000, 5_000]
  .flatMap((copies) => [0, 300, 3_000, 30_000].map((padding) => ({ copies, padding })))
  .filter(({ copies, padding }) => copies * padding <= BODY_LIMIT);

interface Case {
  readonly name: string;
  /** Bytes of URL and body: some ESPs put everything into the former. */
  readonly received: number;
  readonly record: InputRecord;
}

interface Worst {
  readonly ratio: number;
  readonly received: number;
  readonly written: number;
  readonly name: string;
}

const NOTHING: Worst = { ratio: 0, received: 0, written: 0, name: '-' };

interface RawRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: { readonly [name: string]: string };
  readonly body: Buffer;
}

/** `npm run bench -- amplification [ESP …]` */
export async function run(args: string[]): Promise<void> {
  const { esps, isPart } = espArguments(args, 1);
  const attacks = await attackCases();
  const figures: [string, number | string][] = [];
  print(['ESP', 'small', 'of', 'large', 'of', 'what it was']);
  for (const esp of esps) {
    const [small, large] = await worstOf([...fixtureCases(esp), ...(attacks.get(esp) ?? [])]);
    const what = large === NOTHING ? small.name : large.name;
    print([esp, ratioOf(small), kB(small.received), ratioOf(large), kB(large.received), what]);
    figures.push([`${esp}: small`, Number(ratioOf(small))], [`${esp}: large`, Number(ratioOf(large))]);
  }
  process.stdout.write(`large: of requests that come to more than ${FREE_OUTPUT_BYTES / 1_024} kB\n`);
  await writeResult(isPart ? 'amplification-part' : 'amplification', Object.fromEntries(figures));
}

/** Of the requests that come to little, and of those that come to much. */
async function worstOf(cases: readonly Case[]): Promise<[Worst, Worst]> {
  const stage = newStage();
  let [small, large] = [NOTHING, NOTHING];
  for (const { name, received, record } of cases) {
    const { outputs } = await stage.process([record]);
    const written = outputs.reduce(
      (sum, { value, key }) => sum + (value?.length ?? 0) + (key?.length ?? 0),
      0,
    );
    const found = { ratio: written / received, received, written, name };
    if (written > FREE_OUTPUT_BYTES) large = found.ratio > large.ratio ? found : large;
    else small = found.ratio > small.ratio ? found : small;
  }
  return [small, large];
}

function newStage(): NormalizeStage {
  const metrics = new Registry();
  return new NormalizeStage({
    ...{ partitions: 6, deadLetterPartitions: 1, clock: Date.now, tokens: tokenSettings() },
    ...{ encoder: encoderOf('normalized'), deadLetterEncoder: encoderOf('deadLetter') },
    openStages: new Set(),
    deadLetters: deadLetterReport(metrics, silentLog),
  });
}

function fixtureCases(esp: string): Case[] {
  return loadFixtures(esp).flatMap((loaded) =>
    INFLATIONS.flatMap((inflation) => {
      const body = inflated(loaded, inflation, BODY_LIMIT);
      if (!body) return [];
      const { method, url, headers, receivedAt } = loaded.fixture.request;
      const name = `${loaded.name}, lists of ${inflation.copies}, texts of ${inflation.padding}`;
      return [caseOf(name, esp, { method, url, headers, body }, Date.parse(receivedAt))];
    }),
  );
}

async function attackCases(): Promise<Map<string, Case[]>> {
  let number = 0;
  const context: AttackContext = {
    hostile: await Account.create('hostile', { suppresses: 'own-streams' }),
    leaked: await Account.create('leaked', { suppresses: 'all' }),
    ...{ random: createRandom(1), run: 'bench', next: () => number++, victim: () => 'victim@example.com' },
    ...{ ahead: () => undefined, overheard: () => undefined },
  };
  const cases = new Map<string, Case[]>(ALL_ESPS.map((esp) => [esp, []]));
  for (const attack of ATTACKS.filter(({ answer }) => answer !== 'refused')) {
    for (const esp of attack.esps) {
      for (const request of attack.blow(esp, context)) {
        if (request.body.length > BODY_LIMIT) continue;
        cases.get(esp)?.push(caseOf(attack.name, esp, { ...request, url: request.path }));
      }
    }
  }
  return cases;
}

function caseOf(name: string, esp: string, request: RawRequest, receivedAt = Date.now()): Case {
  const received = request.url.length + request.body.length;
  return { name, received, record: recordOf(esp, request, receivedAt) };
}

function recordOf(esp: string, { method, url, headers, body }: RawRequest, receivedAt: number): InputRecord {
  const { 'content-type': contentType = null, ...others } = headers;
  return {
    ...{ topic: 'email.raw', partition: 0, offset: 0, key: null, value: body, timestamp: 0 },
    headers: encodeRawHeaders({
      ...{ requestId: '0199b7a0-1111-7222-8333-444455556666', source: 'main', esp, method, url, contentType },
      ...{ receivedAt, remoteAddress: null, headers: others },
    }),
  };
}

const ratioOf = ({ ratio }: Worst) => ratio.toFixed(1);
const kB = (bytes: number) => `${(bytes / 1_000).toFixed(1)} kB`;

function print([esp = '', small = '', smallOf = '', large = '', largeOf = '', what = '']: string[]): void {
  process.stdout.write(
    `${esp.padEnd(18)} ${small.padStart(7)} ${smallOf.padStart(10)} ${large.padStart(7)} ${largeOf.padStart(10)}  ${what}\n`,
  );
}
