import { createRandom } from '@email-events/dev/simulate';
import { type EmailEvent, recipientKey } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { eventWith } from './events.ts';
import { makeDatabase, markEvents, writeEvents } from './world.ts';

// Who opened, clicked and unsubscribed, by our signs, beside the word of the ESP.

const AT = Date.UTC(2026, 8, 1, 12);
const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36';
const COLUMNS = 'verdict, score, reasons, esp_verdict, agent_kind, links_near, seconds_after_delivery';

const say = (type: EmailEvent['type'], message: string, seconds: number, fields: object = {}) =>
  eventWith(type, {
    ...{ event_id: `${type}${message}${seconds}${JSON.stringify(fields)}`, esp: 'ses', source: 'main' },
    ...{ recipient: 'Ann@gmail.com', esp_message_id: message, campaign: 'autumn', variant: 'A' },
    ...{ occurred_at: AT + seconds * 1_000, received_at: AT, ...fields },
  });

interface Reaction {
  readonly verdict: string;
  readonly score: number;
  readonly reasons: readonly string[];
  readonly esp_verdict: string;
  readonly links_near: string;
  readonly seconds_after_delivery: number | null;
}

test('signs and verdicts', async () => {
  const database = await makeDatabase();
  const cases: readonly [message: string, events: EmailEvent[], verdict: string, reasons: string[]][] = [
    [
      'person',
      [
        say('delivered', 'person', 0),
        say('opened', 'person', 600, { user_agent: BROWSER, is_machine: false }),
      ],
      'person',
      ['later', 'agent_client'],
    ],
    [
      'proxy',
      [
        say('delivered', 'proxy', 0),
        say('opened', 'proxy', 600, { user_agent: 'Mozilla/5.0 (via ggpht.com GoogleImageProxy)' }),
      ],
      'person',
      ['later'],
    ],
    [
      'prefetch',
      [
        say('delivered', 'prefetch', 0),
        say('opened', 'prefetch', 2, { user_agent: 'Mozilla/5.0', is_machine: true }),
      ],
      'machine',
      ['agent_prefetch', 'at_once'],
    ],
    [
      'scanner',
      [say('delivered', 'scanner', 0), say('opened', 'scanner', 900, { user_agent: 'Barracuda Sentinel' })],
      'machine',
      ['agent_scanner', 'later'],
    ],
    ['soon', [say('delivered', 'soon', 0), say('opened', 'soon', 20)], 'uncertain', ['soon']],
    ['nothing', [say('opened', 'nothing', 20)], 'uncertain', []],
    ['early', [say('delivered', 'early', 30), say('opened', 'early', 20)], 'uncertain', ['before_delivery']],
    [
      'bare-click',
      [say('delivered', 'bare-click', 0), say('clicked', 'bare-click', 90, { url: 'https://a.example/' })],
      'person',
      ['click_without_open', 'later'],
    ],
    [
      'left-by-scanner',
      [
        say('delivered', 'left-by-scanner', 0),
        say('unsubscribed', 'left-by-scanner', 2, { scope: 'all', user_agent: BROWSER }),
      ],
      'machine',
      ['at_once', 'agent_client'],
    ],
    [
      'left-by-person',
      [
        say('delivered', 'left-by-person', 0),
        say('unsubscribed', 'left-by-person', 300, { scope: 'all', user_agent: BROWSER }),
      ],
      'person',
      ['later', 'agent_client'],
    ],
  ];
  const links = ['a', 'b', 'c'].map((name, n) =>
    say('clicked', 'links', 1_000 + n, { url: `https://${name}.example/`, user_agent: BROWSER }),
  );
  const same = [0, 1, 2].map((n) =>
    say('clicked', 'same', 1_000 + n, { url: 'https://a.example/', user_agent: BROWSER }),
  );
  const opens = ['links', 'same'].flatMap((name) => [say('delivered', name, 0), say('opened', name, 100)]);
  await writeEvents(database, [...cases.flatMap(([, events]) => events), ...links, ...same, ...opens], {
    times: 2,
  });
  const read = (message: string, type = 'clicked') =>
    database.clickhouse.query<Reaction>(
      `SELECT ${COLUMNS} FROM reactions WHERE recipient_key = 'ann@gmail.com' AND message = {message:String} AND type = {type:String} ORDER BY occurred_at`,
      { message, type },
    );
  for (const [message, events, verdict, reasons] of cases) {
    const type = events.at(-1)?.type;
    expect([message, await read(message, type)]).toMatchObject([message, [{ verdict, reasons }]]);
  }
  for (const row of await read('links'))
    expect(row).toMatchObject({ verdict: 'uncertain', links_near: '3', score: 40 });
  for (const row of await read('same')) expect(row).toMatchObject({ verdict: 'person', links_near: '1' });

  // An installation that trusts links less.
  await database.clickhouse.command(
    "INSERT INTO reaction_settings (name, value) VALUES ('links_at_once', 200)",
  );
  for (const row of await read('links')) expect(row).toMatchObject({ verdict: 'machine', score: 160 });
});

test('campaigns tell people, machines and what nobody knows apart, and where the ESP says otherwise', async () => {
  const database = await makeDatabase();
  const of = (recipient: string, ...events: EmailEvent[]) =>
    events.map((event) => ({
      ...event,
      recipient,
      event_id: `${recipient}${event.event_id}`,
      recipient_domain: 'gmail.com',
    }));
  const forged = of('forged@gmail.com', say('opened', 'm', 900, { user_agent: BROWSER }));
  await writeEvents(database, [
    ...of(
      'a@gmail.com',
      say('delivered', 'm', 0),
      say('opened', 'm', 900, { user_agent: BROWSER, is_machine: true }),
    ),
    ...of(
      'b@gmail.com',
      say('delivered', 'm', 0),
      say('opened', 'm', 1, { user_agent: 'curl/8', is_machine: true }),
    ),
    ...of(
      'c@gmail.com',
      say('delivered', 'm', 0),
      say('opened', 'm', 20),
      say('opened', 'm', 900, { user_agent: BROWSER, is_machine: false }),
    ),
    ...forged,
  ]);
  await markEvents(database, forged, 'forged', 1);
  const rows = await database.clickhouse.query("SELECT * FROM campaign_reactions WHERE campaign = 'autumn'");
  expect(rows).toEqual([
    {
      ...{ campaign: 'autumn', variant: 'A', source: 'main', esp: 'ses', type: 'opened', events: '4' },
      ...{ by_person: '2', by_machine: '1', uncertain: '1', esp_says_person: '1', esp_says_machine: '2' },
      ...{ contradictions: '1', recipients_person: '2', recipients_machine_only: '1' },
    },
  ]);
});

test('random reactions are judged as they are here', async () => {
  const database = await makeDatabase();
  const random = createRandom(3);
  const events = Array.from({ length: 1_500 }, (_, n) => {
    const type = random.pick(['delivered', 'opened', 'clicked', 'clicked', 'unsubscribed'] as const);
    const message = `m${random.int(0, 120)}`;
    const user_agent = random.pick([BROWSER, 'Mozilla/5.0', 'curl/8.1', 'Googlebot/2.1', null]);
    return {
      ...say(type, message, random.int(0, 200), {
        user_agent,
        url: `https://${random.int(0, 5)}.example/`,
        is_machine: random.pick([true, false, null]),
      }),
      event_id: `${n}`,
      recipient: `r${random.int(0, 1)}@gmail.com`,
    };
  });
  for (let from = 0; from < events.length; from += 300)
    await writeEvents(database, events.slice(from, from + 300).reverse(), { times: 2 });
  const rows = await database.clickhouse.query<Reaction & { event_id: string }>(
    `SELECT event_id, ${COLUMNS} FROM reactions`,
  );
  const found = new Map(rows.map((row) => [row.event_id, row]));
  const reactions = events.filter(({ type }) => type !== 'delivered');
  expect(rows).toHaveLength(reactions.length);
  for (const event of reactions) expect(found.get(event.event_id)).toMatchObject(judged(event, events));
  const doubtful = await database.clickhouse.query<{ event_id: string }>(
    'SELECT event_id FROM doubtful_unsubscribes',
  );
  const expected = reactions.filter((event) => {
    const { verdict, score = 0 } = judged(event, events);
    return event.type === 'unsubscribed' && verdict !== 'person' && score > 0;
  });
  expect(expected.length).toBeGreaterThan(10);
  expect(doubtful.map(({ event_id }) => event_id).sort()).toEqual(
    expected.map(({ event_id }) => event_id).sort(),
  );
});

const WEIGHTS: { readonly [sign: string]: number } = {
  ...{
    agent_scanner: 100,
    agent_prefetch: 100,
    at_once: 80,
    soon: 20,
    before_delivery: 40,
    links_at_once: 80,
  },
  ...{ click_without_open: 20, later: -20, agent_client: -20 },
};

function judged(event: EmailEvent, all: readonly EmailEvent[]): Partial<Reaction> {
  const own = all.filter(
    (each) =>
      each.esp_message_id === event.esp_message_id &&
      recipientKey(each.recipient) === recipientKey(event.recipient),
  );
  const deliveries = own.filter(({ type }) => type === 'delivered').map(({ occurred_at }) => occurred_at);
  const after = deliveries.length === 0 ? null : (event.occurred_at - Math.min(...deliveries)) / 1_000;
  const near = own.filter(
    ({ type, occurred_at }) => type === 'clicked' && Math.abs(occurred_at - event.occurred_at) <= 10_000,
  );
  const links = event.type !== 'opened' ? new Set(near.map(({ url }) => url)).size : 0;
  const agent = event.user_agent;
  const signs = [
    [agent === 'curl/8.1' || agent === 'Googlebot/2.1', 'agent_scanner'],
    [agent === 'Mozilla/5.0', 'agent_prefetch'],
    [after !== null && after >= 0 && after < 5, 'at_once'],
    [after !== null && after >= 5 && after < 60, 'soon'],
    [after !== null && after < 0, 'before_delivery'],
    [links >= 3, 'links_at_once'],
    [event.type === 'clicked' && !own.some(({ type }) => type === 'opened'), 'click_without_open'],
    [after !== null && after >= 60, 'later'],
    [agent === BROWSER, 'agent_client'],
  ] as const;
  const reasons = signs.filter(([holds]) => holds).map(([, name]) => name as string);
  const score = reasons.reduce((sum, name) => sum + (WEIGHTS[name] ?? 0), 0);
  const decided = score >= 60 ? 'machine' : score <= 0 ? 'person' : 'uncertain';
  return {
    verdict: reasons.length === 0 ? 'uncertain' : decided,
    score,
    reasons,
    links_near: String(links),
    seconds_after_delivery: after,
  };
}
