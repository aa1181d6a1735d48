import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PipelineConfig, pipelineConfig } from '@email-events/cli/services';
import { applyTopics } from '@email-events/core';
import { Codec, registerSchemas, type Suppression, topicCatalogue } from '@email-events/schemas';
import { crmOf, type Instants } from '@email-events/sink-crm';
import { expect, test } from 'vitest';
import { settingsOf } from '../contracts/crm/crm-world.ts';
import { deadLetterCodes, produce, startSink } from '../contracts/crm/service.ts';
import { seeded } from '../contracts/crm/topic.ts';
import { vacantStack, waitFor } from '../harness/stack.ts';
import { startTcpProxy } from '../harness/tcp-proxy.ts';
import { type Bottlecrm, startBottlecrm } from './servers/bottlecrm.ts';
import type { ContactsFound } from './servers/bottlecrm-contacts.ts';
import { addressOf, newcomers, newestStates, stateLog } from './states.ts';

// The first time it installs a Python, a PostgreSQL and BottleCRM, and runs its migrations: minutes on a busy machine.
const TIME_MS = 900_000;
const RECIPIENTS = 40;
const STATES = 150;
const PATIENCE_MS = 120_000;

/** Contacts that were there before: of a recipient each, written otherwise, and with what is none of the pipeline's. */
const BEFORE = Array.from({ length: 8 }, (_, i) => ({
  ...{ first_name: `First ${i}`, last_name: `Last ${i}`, email: addressOf(i).replace('person', 'Person') },
  custom_fields: { no_mail: i % 2 === 0 },
}));

test('whatever happens to sink and CRM, a BottleCRM on PostgreSQL comes to the newest states, and never goes back', {
  timeout: TIME_MS,
}, async (scope) => {
  const crm = await startBottlecrm();
  scope.onTestFinished(() => crm.stop());
  const proxy = await startTcpProxy(crm.url);
  scope.onTestFinished(() => proxy.stop());
  const stack = await vacantStack(scope);
  const dir = await mkdtemp(join(tmpdir(), 'crm-bottlecrm-'));
  scope.onTestFinished(() => rm(dir, { recursive: true }));
  const settings = {
    kafka: { ...stack.kafka, groupPrefix: stack.unique('bottlecrm'), sessionTimeoutMs: 6_000 },
    registry: stack.registry,
    topics: { partitions: 3 },
    sinks: { crm: { adminPort: 0, kind: 'bottlecrm', url: proxy.url, secrets: [crm.token] } },
  };
  const config = pipelineConfig.parse(settings);
  const file = join(dir, 'pipeline.yaml');
  await writeFile(file, JSON.stringify(settings));
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  await registerSchemas(stack.registry);
  const codec = new Codec(stack.registry);
  for (const contact of BEFORE) await create(crm, contact);

  const log = [...stateLog(seeded(23), { recipients: RECIPIENTS, states: STATES, stale: 0.15 })];
  const third = (index: number) => log.slice((index * STATES) / 3, ((index + 1) * STATES) / 3);
  const thirds = [0, 1, 2].map(third);
  const record = (states: typeof log) => produce(config, codec, states);
  /** While writes are under way: there is always something to write, for people who were never seen. */
  const amid = async (act: () => unknown) => {
    const people = newcomers(log.length, 4);
    log.push(...people);
    const { length } = (await crm.contacts()).history;
    await record(people);
    await waitFor('a write', async () => (await crm.contacts()).history.length > length, PATIENCE_MS);
    await act();
  };

  const first = startSink(file, scope);
  await record(thirds[0] ?? []);
  await amid(() => killed(first));
  // Two of them, whose answers get lost, over a CRM that is started anew.
  const [second, last] = [startSink(file, scope), startSink(file, scope)];
  await record(thirds[1] ?? []);
  for (let times = 0; times < 5; times += 1) await amid(() => proxy.cut());
  await amid(() => crm.component.restart());
  await amid(() => killed(second));
  await record(thirds[2] ?? []);

  const expected = newestStates(log);
  await waitFor(
    'all recipients at their newest state',
    async () => behind(await crm.contacts(), expected).length === 0,
    PATIENCE_MS,
  );
  last.kill('SIGTERM');
  expect(await once(last, 'exit')).toEqual([0, null]);

  const { now, history } = await crm.contacts();
  const addresses = now.map(({ email }) => email.toLowerCase());
  expect(addresses).toEqual([...new Set(addresses)]);
  for (const { email, first_name, last_name, custom_fields } of BEFORE) {
    const kept = now.find((contact) => contact.email === email);
    expect(kept).toMatchObject({ name: `${first_name} ${last_name}`, fields: custom_fields });
  }
  expect(wentBack(history)).toEqual([]);
  expect(await deadLetterCodes(config, codec)).toEqual([]);
  await engages(crm);
  await erases(config, crm);
  await scope.annotate(`${history.length} writes of ${now.length} contacts`);
});

/** The three fields of one of them go forward only, nothing else of anybody changes, and nobody is made. */
async function engages(crm: Bottlecrm): Promise<void> {
  const settings = settingsOf('bottlecrm', { url: crm.url, secrets: [crm.token], engagement: {} });
  const adapter = crmOf(settings).connectEngagement(settings, Date.now);
  if (!adapter) throw new Error('no engagement');
  try {
    const { signal } = new AbortController();
    await adapter.check(signal);
    const before = (await crm.contacts()).now;
    const at = Date.parse('2026-06-15T12:00:00.250Z');
    const tell = (recipient: string, instants: Instants) => adapter.engage({ recipient, instants }, signal);
    const recipient = addressOf(1);
    expect(await tell(recipient, { delivered: at, clicked: at + 5_000 })).toBe('written');
    expect(await tell(recipient, { delivered: at - 1, clicked: at })).toBe('unchanged');
    expect(await tell(recipient, { delivered: at + 1, opened: at, clicked: at })).toBe('written');
    expect(await tell('nobody@example.com', { delivered: at })).toBe('absent');
    const after = (await crm.contacts()).now;
    const expected = before.map((contact) =>
      contact.email.toLowerCase() === recipient
        ? {
            ...contact,
            fields: {
              ...contact.fields,
              email_last_delivered: '2026-06-15T12:00:00.251Z',
              email_last_opened: '2026-06-15T12:00:00.250Z',
              email_last_clicked: '2026-06-15T12:00:05.250Z',
            },
          }
        : contact,
    );
    const sorted = (contacts: typeof before) => [...contacts].sort((a, b) => (a.email < b.email ? -1 : 1));
    expect(sorted(after)).toEqual(sorted(expected));
  } finally {
    await adapter.close();
  }
}

/** One of them, and nobody else, as `erase --crm` does. */
async function erases({ sinks }: PipelineConfig, crm: Bottlecrm): Promise<void> {
  if (!sinks.crm) throw new Error('no CRM');
  const adapter = crmOf(sinks.crm).connect({ ...sinks.crm, url: crm.url }, Date.now);
  try {
    const { now } = await crm.contacts();
    // Written there as Person-1.
    const email = addressOf(1);
    const { signal } = new AbortController();
    expect(await adapter.erase?.(email, signal)).toBe('erased');
    expect(await adapter.erase?.(email, signal)).toBe('absent');
    const left = (await crm.contacts()).now.map((contact) => contact.email).sort();
    const others = now.map((contact) => contact.email).filter((each) => each.toLowerCase() !== email);
    expect(left).toEqual(others.sort());
    expect(left.length).toBe(now.length - 1);
  } finally {
    await adapter.close();
  }
}

const STATE = 'email_suppression';
const VERSION = 'email_suppression_version';

/** Recipients whose contact is not as their newest state. Who was never seen suppressed need not be a contact. */
function behind({ now }: ContactsFound, expected: ReadonlyMap<string, Suppression>): string[] {
  const held = new Map(now.map((contact) => [contact.email.toLowerCase(), contact.fields]));
  return [...expected.values()].flatMap(({ recipient, suppressed, revision }) => {
    const fields = held.get(recipient);
    if (!fields) return suppressed ? [recipient] : [];
    const right = fields[VERSION] === revision && fields[STATE] === (suppressed ? 'suppressed' : 'none');
    return right ? [] : [recipient];
  });
}

/** Contacts that were ever given an older state than the one they had. */
function wentBack(history: ContactsFound['history']): string[] {
  const newest = new Map<string, number>();
  return history.flatMap(({ email, fields }) => {
    const version = Number(fields[VERSION] ?? 0);
    const before = newest.get(email) ?? 0;
    newest.set(email, Math.max(before, version));
    return version < before ? [email] : [];
  });
}

async function create({ url, token }: Bottlecrm, contact: object): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const response = await fetch(`${url}/api/contacts/`, {
    method: 'POST',
    headers,
    body: JSON.stringify(contact),
  });
  expect(response.status).toBe(200);
}

async function killed(sink: ChildProcess): Promise<void> {
  sink.kill('SIGKILL');
  await once(sink, 'exit');
}
