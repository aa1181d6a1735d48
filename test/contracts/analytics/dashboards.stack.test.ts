import type { ClickHouse } from '@email-events/sink-clickhouse';
import { expect, test } from 'vitest';
import { type Chosen, DASHBOARDS, filledIn, type Panel } from './dashboards.ts';
import { randomEvents } from './events.ts';
import { makeDatabase, writeEvents, writeSuppressions } from './world.ts';

// Every query of the dashboards as Grafana would send it, against a real server with events in it.

const CHOSEN: Chosen = {
  from: Date.UTC(2026, 7, 20),
  to: Date.UTC(2026, 11, 1),
  intervalSeconds: 86_400,
  variables: { source: ['main', 'other'], campaign: ['autumn'] },
};

interface Answer {
  readonly meta: readonly { readonly name: string; readonly type: string }[];
  readonly data: readonly { readonly [column: string]: unknown }[];
}

async function answerOf(clickhouse: ClickHouse, sql: string): Promise<Answer> {
  const data = await clickhouse.query<{ [column: string]: unknown }>(sql);
  const described = await clickhouse.query<{ name: string; type: string }>(`DESCRIBE TABLE (${sql})`);
  return { meta: described, data };
}

test('every panel and every variable has an answer of the shape and in the unit that it shows', async () => {
  const database = await makeDatabase();
  await writeEvents(database, randomEvents(51, 3_000));
  const recent = randomEvents(52, 200).map((event) => ({ ...event, occurred_at: Date.now() - 3_600_000 }));
  await writeEvents(database, recent);
  await writeSuppressions(database, [SUPPRESSED]);
  const seen: string[] = [];
  for (const { uid, templating, panels } of DASHBOARDS) {
    for (const { name, query } of templating.list ?? []) {
      const { meta, data } = await answerOf(database.clickhouse, query);
      expect([uid, name, meta.length]).toEqual([uid, name, 1]);
      const offered = data.map((row) => Object.values(row)[0]);
      expect(offered, `${uid} ${name}`).toEqual(
        expect.arrayContaining([...(CHOSEN.variables[name] ?? ['?'])]),
      );
    }
    for (const panel of panels.filter((one) => one.datasource.type === 'grafana-clickhouse-datasource')) {
      const where = `${uid}: ${panel.title}`;
      const [target] = panel.targets;
      const sql = filledIn(target?.rawSql ?? '', CHOSEN);
      const answer = await answerOf(database.clickhouse, sql).catch((error: unknown) => {
        throw new Error(`${where}: ${error}\n${sql}`);
      });
      expect(answer.data.length, where).toBeGreaterThan(0);
      SHAPES[panel.type]?.(panel, answer, where);
      seen.push(panel.type);
    }
  }
  expect(new Set(seen)).toEqual(new Set(Object.keys(SHAPES)));
});

const SUPPRESSED = {
  ...{
    recipient: 'ann@gmail.com',
    suppressed: true,
    changed_at: Date.UTC(2026, 8, 3),
    event_id: 'e',
    revision: 1,
  },
  reasons: [
    {
      ...{
        reason: 'complaint' as const,
        scope: 'all',
        since: Date.UTC(2026, 8, 3),
        esp: 'ses',
        source: 'main',
      },
      ...{ event_id: 'e', detail: null, account: null },
    },
  ],
};

const SHAPES: { readonly [type: string]: (panel: Panel, answer: Answer, where: string) => void } = {
  stat(panel, { meta, data }, where) {
    expect([data.length, meta.length], where).toEqual([1, 1]);
    expectUnit(
      panel.fieldConfig.defaults.unit,
      data.map((row) => Object.values(row)[0]),
      where,
    );
  },
  timeseries(panel, { meta, data }, where) {
    const [time, ...others] = meta;
    expect([time?.name, time?.type], where).toEqual(['time', expect.stringMatching(/^DateTime/)]);
    const numbers = others.filter(({ type }) => isNumber(type));
    expect(numbers.length, where).toBeGreaterThan(0);
    // Texts name the lines: each line has a point once at a time.
    const labels = others.filter(({ type }) => !isNumber(type)).map(({ name }) => name);
    const points = data.map((row) => JSON.stringify(['time', ...labels].map((name) => row[name])));
    expect(new Set(points).size, where).toBe(points.length);
    expect(
      data.map((row) => row.time),
      where,
    ).toEqual(data.map((row) => row.time).sort());
    for (const { name } of numbers)
      expectUnit(
        panel.fieldConfig.defaults.unit,
        data.map((row) => row[name]),
        `${where}, ${name}`,
      );
  },
  table(panel, { meta, data }, where) {
    const units = new Map(
      panel.fieldConfig.overrides.map(({ matcher, properties }) => [
        matcher.options,
        properties.find(({ id }) => id === 'unit')?.value as string,
      ]),
    );
    const numbers = meta.filter(({ type }) => isNumber(type)).map(({ name }) => name);
    expect([...units.keys()].sort(), where).toEqual(numbers.sort());
    for (const [name, unit] of units)
      expectUnit(
        unit,
        data.map((row) => row[name]),
        `${where}, ${name}`,
      );
  },
};

const isNumber = (type: string) => /^(Nullable\()?(U?Int|Float)/.test(type);

function expectUnit(unit: string | undefined, values: readonly unknown[], where: string): void {
  const numbers = values.filter((value) => value !== null).map(Number);
  expect(numbers.length, where).toBeGreaterThan(0);
  for (const number of numbers) {
    expect(Number.isFinite(number), where).toBe(true);
    if (unit === 'short') expect([where, number]).toEqual([where, Math.round(number)]);
    else if (unit === 'percentunit') expect(Math.abs(number), where).toBeLessThanOrEqual(MOST_SHARE);
    else if (unit === 's') expect(number, where).toBeGreaterThanOrEqual(0);
    else throw new Error(`${where}: no such unit here: ${unit}`);
  }
}

/** More messages may be opened than were reported as delivered, in events that are drawn by chance. A share in per cent would be far above. */
const MOST_SHARE = 5;
