import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBin } from '@email-events/cli/testing';
import type { EmailEvent, SuppressionReason } from '@email-events/schemas';
import { expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../../harness/stack.ts';
import { eventWith, randomEvents } from './events.ts';
import { figuresOf, groupedBy } from './expected-figures.ts';
import { expectedMessages } from './expected-messages.ts';
import { type Database, makeDatabase, markEvents, writeEvents, writeSuppressions } from './world.ts';

// `recipient` and `report` as an operator runs them.

/** The real command line on this database. */
const commandOf = (database: Database) => {
  const start = startOf(database);
  return (...args: string[]) => start(...args).finished;
};

function startOf({ address }: Database) {
  const folder = mkdtempSync(join(tmpdir(), 'analytics-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, 'pipeline.yaml');
  const { url, database, username } = address;
  writeFileSync(config, JSON.stringify({ sinks: { clickhouse: { url, database, username } } }));
  return (...args: string[]) =>
    startBin([...args, '--config', config], { env: { EMAIL_EVENTS_HOME: folder } });
}

const AT = Date.UTC(2026, 8, 1, 12);
const MESSAGE = {
  esp_message_id: '14c5d75ce93.filter0001.16648.5515E0B88.0',
  message_id: 'abc@shop.example',
};
const say = (type: EmailEvent['type'], seconds: number, fields: object = {}) =>
  eventWith(type, {
    ...{
      event_id: `${type}${seconds}`,
      esp: 'sendgrid',
      source: 'main',
      recipient: 'Ann@Example.com',
      ...MESSAGE,
    },
    ...{ occurred_at: AT + seconds * 1_000, received_at: AT, subject: 'Offers\u001b[2J', campaign: 'autumn' },
    ...{ raw_partition: 1, raw_offset: 7, item_index: 2, ...fields },
  });

test('the story of a recipient, by any spelling and by any id of a message', async () => {
  const database = await makeDatabase();
  const run = commandOf(database);
  const bounce = {
    bounce_class: 'hard',
    bounce_category: 'invalid_mailbox',
    smtp_code: 550,
    enhanced_status: '5.1.1',
  };
  await writeEvents(database, [
    say('queued', 0),
    say('deferred', 1, { diagnostic: 'try later' }),
    say('delivered', 60),
    say('opened', 62, { is_machine: true }),
    say('opened', 3_600, { is_machine: null }),
    say('unsubscribed', 4_000, { scope: 'news' }),
    say('bounced', 9, { ...bounce, recipient: 'jürgen@münchen.example', diagnostic: 'user\u0007 unknown' }),
  ]);
  const story = await run('recipient', ' ANN@example.COM');
  expect([story.code, story.err]).toEqual([0, '']);
  expect(story.out).toContain('ann@example.com: the last message known is of 2026-09-01 12:00:00.');
  expect(story.out).toContain(
    'It arrived: the receiving server took it at 2026-09-01 12:01:00, 1 min after the first word of it.',
  );
  expect(story.out).toContain('Opened 1 time, first at 2026-09-01 13:00:00 (the ESP does not say by whom).');
  expect(story.out).toContain('Opened 1 time by a machine');
  expect(story.out).toContain('Unsubscribed from news');
  expect(story.out).toContain('deferred     try later');
  expect(story.out).toContain('raw 1/7/2');
  expect(story.out).not.toContain('\u001b');

  const other = await run('recipient', 'JÜRGEN@MÜNCHEN.example');
  expect(other.out).toContain(
    'It did not arrive, it came back at 2026-09-01 12:00:09: the address does not work (invalid mailbox; 550 5.1.1; user\\x07 unknown).',
  );

  for (const id of [MESSAGE.esp_message_id, `<${MESSAGE.message_id}>`, MESSAGE.message_id, '14c5d75ce93']) {
    const { recipients, stories } = JSON.parse((await run('recipient', '--message', id, '--json')).out);
    expect([id, recipients]).toEqual([id, 2]);
    expect(stories.map(({ recipient }: { recipient: string }) => recipient)).toEqual([
      'ann@example.com',
      'jürgen@xn--mnchen-3ya.example',
    ]);
  }
  const [one] = JSON.parse(
    (await run('recipient', 'ann@example.com', '--message', '14c5d75ce93', '--json')).out,
  ).stories;
  expect(one.messages[0]).toMatchObject({
    outcome: 'delivered',
    deferrals: 1,
    machineOpens: 1,
    deliveredAt: '2026-09-01T12:01:00.000Z',
  });
  expect(one.messages[0].events.map(({ type }: { type: string }) => type)).toEqual([
    ...['queued', 'deferred', 'delivered', 'opened', 'opened', 'unsubscribed'],
  ]);

  expect((await run('recipient', 'nobody@example.com')).out).toContain('no message to this address is known');
  expect((await run('recipient', '--message', 'nothing')).out).toContain('no message of this id is known');
  expect((await run('recipient')).code).toBe(2);
  for (const nothing of ['', ' ', '<>', '< >'])
    expect([nothing, (await run('recipient', '--message', nothing)).code]).toEqual([nothing, 2]);
});

test('what was marked is in the story, and counts for nothing', async () => {
  const database = await makeDatabase();
  const events = [say('delivered', 1), say('bounced', 2, { bounce_class: 'hard' })];
  await writeEvents(database, events);
  await markEvents(database, events.slice(1), 'forged', 1);
  const { out } = await commandOf(database)('recipient', 'ann@example.com');
  expect(out).toContain('It arrived');
  expect(out).toMatch(/bounced .*\[forged: counts in no report\]/);
});

test('every report, as a table, as JSON and as CSV; figures as computed apart', async () => {
  const database = await makeDatabase();
  const run = commandOf(database);
  const events = randomEvents(21, 2_000);
  await writeEvents(database, events);
  for (const name of [
    'campaign',
    'deliverability',
    'bounces',
    'engagement',
    'reactions',
    'hygiene',
    'freshness',
  ]) {
    const { code, err } = await run('report', name);
    expect([name, code, err.replace(/there may be more.*\n/, '')]).toEqual([name, 0, '']);
  }
  const rows: { [column: string]: unknown }[] = JSON.parse((await run('report', 'campaign', '--json')).out);
  const groups = groupedBy(
    expectedMessages(events, 'campaign').filter(({ campaign }) => campaign !== ''),
    'campaign',
    'variant',
    'source',
  );
  expect(rows).toHaveLength(groups.size);
  for (const row of rows) {
    const figures = figuresOf(groups.get(JSON.stringify([row.campaign, row.variant, row.source])) ?? []);
    const { campaign, variant, source, ...shown } = row;
    expect({
      campaign,
      variant,
      source,
      ...Object.fromEntries(Object.keys(shown).map((name) => [name, figures[name]])),
    }).toEqual(row);
  }

  const csv = await run(
    'report',
    'deliverability',
    '--csv',
    '--campaign',
    'autumn',
    '--esp',
    'ses',
    '--since',
    '2026-09-15',
  );
  const [head, ...lines] = csv.out.trim().split('\n');
  expect(head).toMatch(/^mailbox_provider,esp,source,attempted,/);
  const since = expectedMessages(events, 'campaign').filter(
    (row) => row.campaign === 'autumn' && String(row.first_at) >= '2026-09-15',
  );
  const byProvider = groupedBy(since, 'mailbox_provider', 'esp', 'source');
  expect(lines).toHaveLength(byProvider.size);
  for (const line of lines) {
    const [provider, esp, source, attempted, delivered] = line.split(',');
    const figures = figuresOf(byProvider.get(JSON.stringify([provider, esp, source])) ?? []);
    expect([Number(attempted), Number(delivered)]).toEqual([figures.attempted, figures.delivered]);
  }

  expect((await run('report', 'freshness', '--campaign', 'x')).err).toContain(
    'report freshness does not take --campaign',
  );
  expect((await run('report', 'nonsense')).code).toBe(2);
});

test('report ab: a verdict of what the view counts, until Ctrl-C', async () => {
  const database = await makeDatabase();
  const [run, start] = [commandOf(database), startOf(database)];
  await writeEvents(database, [
    ...mailing('autumn', 'A', 400, 40),
    ...mailing('autumn', 'B', 400, 120),
    ...mailing('winter', 'A', 300, 30),
    ...mailing('winter', 'B', 100, 20),
    ...mailing('spring', 'A', 50, 5),
  ]);
  const all = JSON.parse((await run('report', 'ab', '--json')).out);
  expect(all.map(({ campaign }: { campaign: string }) => campaign).sort()).toEqual(['autumn', 'winter']);
  const [autumn] = JSON.parse((await run('report', 'ab', '--campaign', 'autumn', '--json')).out);
  const [view] = await database.clickhouse.query<{ [column: string]: unknown }>(
    "SELECT * FROM ab_comparison WHERE campaign = 'autumn' AND variant = 'B'",
  );
  const [clicked, opened] = autumn.judgements;
  expect([autumn.several, autumn.unjudged]).toEqual([0, { clicked: 1, opened: null }]);
  expect([clicked.state, clicked.leader, opened.state]).toEqual(['wins', 'B', 'even']);
  const [pair] = clicked.pairs;
  expect([view?.click_verdict, view?.click_p_value]).toEqual(['better', pair.pValue]);
  expect([view?.click_difference_low, view?.click_difference_high]).toEqual([-pair.high, -pair.low]);

  const text = (await run('report', 'ab', '--campaign', 'winter')).out;
  expect(text).toContain('The split is broken: A 75.0 % (meant 50.0 %), B 25.0 %');
  expect((await run('report', 'ab', '--campaign', 'winter', '--split', 'A=3,B=1')).out).toContain('is ahead');
  expect((await run('report', 'ab', '--csv')).out.trim().split('\n')).toHaveLength(1 + 2 * 2 * 2);
  for (const wrong of [
    ['--esp', 'ses'],
    ['--split', 'A=1'],
    ['--split', 'A'],
  ])
    expect([wrong, (await run('report', 'ab', ...wrong)).code]).toEqual([wrong, 2]);
  expect((await run('report', 'campaign', '--split', 'A=1,B=1')).code).toBe(2);

  const watched = start('report', 'ab', '--campaign', 'autumn', '--watch', '0.1', '--json');
  const readings = () => watched.output().out.trim().split('\n').filter(Boolean);
  await waitFor('several readings', async () => readings().length >= 2);
  await writeEvents(database, mailing('autumn', 'B', 500, 120));
  await waitFor('a reading of what came meanwhile', async () =>
    readings().some((line) => JSON.parse(line)[0].variants[1].sent === 500),
  );
  watched.interrupt();
  expect((await watched.finished).code).toBe(0);
});

/** All of them delivered, the first so many clicked. */
const mailing = (campaign: string, variant: string, sent: number, clicks: number) =>
  (['delivered', 'clicked'] as const).flatMap((type) =>
    Array.from({ length: type === 'delivered' ? sent : clicks }, (_, n) => {
      const recipient = `${campaign}-${variant}-${n}@example.com`;
      const fields = { recipient, campaign, variant, source: 'main', esp: 'ses', is_machine: null };
      return eventWith(type, {
        ...fields,
        event_id: `${recipient}-${type}`,
        occurred_at: AT,
        received_at: AT,
      });
    }),
  );

test('list hygiene counts a recipient once a row, whatever streams were left on whatever days', async () => {
  const database = await makeDatabase();
  const left = (scope: string, day: number): SuppressionReason => ({
    ...{ reason: 'unsubscribe', scope, since: AT + day * 86_400_000, esp: 'ses', source: 'main' },
    ...{ event_id: `${scope}${day}`, detail: null, account: null },
  });
  const state = (recipient: string, ...reasons: SuppressionReason[]) => ({
    ...{ recipient, suppressed: reasons.some(({ scope }) => scope === 'all'), reasons },
    ...{ changed_at: AT, event_id: 'e', revision: 1 },
  });
  await writeSuppressions(database, [
    state('ann@gmail.com', left('all', 0), left('news', 1)),
    state('bob@gmail.com', left('all', 3)),
  ]);
  const { out } = await commandOf(database)('report', 'hygiene', '--json');
  const row = { reason: 'unsubscribe', esp: 'ses', source: 'main', mailbox_provider: 'gmail' };
  expect(JSON.parse(out)).toEqual([
    { ...row, scope: 'all', recipients: 2, newest: '2026-09-04' },
    { ...row, scope: 'news', recipients: 1, newest: '2026-09-02' },
  ]);
});
