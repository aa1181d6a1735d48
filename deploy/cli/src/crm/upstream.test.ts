import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Secret } from '@email-events/core';
import { Webhook } from 'standardwebhooks';
import { expect, onTestFinished, test } from 'vitest';
import type { PipelineConfig } from '../services.ts';
import { bringUpstream, eventOf, type OptOut, upstreamOf } from './upstream.ts';

const SECRET = `whsec_${Buffer.alloc(24, 3).toString('base64')}`;
const { signal } = new AbortController();
const optOut = (recipient: string, more: Partial<OptOut> = {}): OptOut => ({
  ...{
    recipient,
    since: undefined,
    seenAt: 1_780_000_000_000,
    reason: undefined,
    because: undefined,
    ...more,
  },
});

/** An ingress that answers with these, and then 200; what it was sent, once the signature is right. */
async function ingress(...answers: { status: number; after?: string }[]) {
  const bodies: { id?: string; recipient: string }[][] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    new Webhook(SECRET).verify(body, request.headers as { [name: string]: string });
    bodies.push(JSON.parse(body));
    const { status, after } = answers.shift() ?? { status: 200 };
    response.writeHead(status, after === undefined ? {} : { 'retry-after': after }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const url = new URL(
    `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/email-events/opt-outs`,
  );
  return { bodies, to: { url, secrets: [new Secret(SECRET)] } };
}

test('the same opt-out is the same event; another time is another', () => {
  const since = Date.UTC(2026, 0, 2);
  const of = (consumer: string, more: Partial<OptOut>) =>
    eventOf(consumer, optOut('ada@example.com', more)) as { id: string };
  const event = of('sink-crm', { since, reason: 'UNSUBSCRIBE' });
  expect(event).toMatchObject({
    ...{ type: 'unsubscribed', scope: 'all', recipient: 'ada@example.com', method: 'sink-crm' },
    ...{ occurred_at: '2026-01-02T00:00:00.000Z', esp_event_type: 'UNSUBSCRIBE' },
  });
  expect(of('sink-crm', { since, seenAt: 5 }).id).toBe(event.id);
  expect(of('sink-crm', { since: since + 1 }).id).not.toBe(event.id);
  expect(of('sink-crm-news', { since }).id).not.toBe(event.id);
});

test.each([1e20, -1e20, Number.NaN, Number.POSITIVE_INFINITY])(
  'a time that cannot be, %d, is as good as none',
  (since) => {
    const event = eventOf('sink-crm', optOut('ada@example.com', { since }));
    expect(event).toEqual(eventOf('sink-crm', optOut('ada@example.com')));
    expect(event).toMatchObject({ occurred_at: '2026-05-28T20:26:40.000Z' });
  },
);

test('of a reason no more is told than a name may have', () => {
  const type = (reason: string) =>
    (eventOf('sink-crm', optOut('ada@example.com', { reason })) as { esp_event_type: string }).esp_event_type;
  expect(type('r'.repeat(100))).toBe('r'.repeat(100));
  expect(type('r'.repeat(1_000_000))).toBe('r'.repeat(100));
  expect(type(`${'r'.repeat(99)}😀`)).toBe(`${'r'.repeat(99)}\ufffd`);
});

test('what is no choice of the recipient is told as what it is', () => {
  expect(eventOf('sink-crm', optOut('a@example.com', { because: 'complaint' }))).toMatchObject({
    type: 'complained',
  });
  expect(eventOf('sink-crm', optOut('a@example.com', { because: 'hard_bounce' }))).toMatchObject({
    ...{ type: 'bounced', bounce_class: 'hard', bounce_category: 'other' },
  });
});

test('signed, some at a time, again while the ingress asks for it', async () => {
  const { bodies, to } = await ingress({ status: 503, after: '0' }, { status: 200 }, { status: 429 });
  const all = Array.from({ length: 150 }, (_, n) => optOut(`person-${n}@example.com`));
  const sent: number[] = [];
  expect(await bringUpstream(to, 'sink-crm', all, { signal, onSent: (events) => sent.push(events) })).toBe(
    150,
  );
  expect(sent).toEqual([100, 150]);
  expect(bodies.map(({ length }) => length)).toEqual([100, 100, 50, 50]);
  expect(bodies[1]).toEqual(bodies[0]);
});

test('an ingress that refuses is told at once', async () => {
  const { bodies, to } = await ingress({ status: 401 });
  const bring = bringUpstream(to, 'sink-crm', [optOut('a@example.com')], { signal, onSent: () => {} });
  await expect(bring).rejects.toMatchObject({
    code: 'CLI_INGRESS_REFUSED',
    message: expect.stringContaining('401'),
  });
  expect(bodies).toHaveLength(1);
});

test('a source that cannot bring them is told before anything is listed', () => {
  const source = { esp: 'standard-webhooks', secrets: [new Secret(SECRET)], suppresses: 'all' };
  const sources = {
    ...{ good: source, other: { ...source, esp: 'postmark' }, bare: { ...source, secrets: [] } },
    weak: { ...source, suppresses: 'own-streams' },
  };
  const config = { sources } as unknown as PipelineConfig;
  const refused = (name: string, at = 'https://events.example.com') => {
    try {
      return upstreamOf(config, name, at).url.href;
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(refused('good')).toBe('https://events.example.com/webhooks/email-events/good');
  expect(refused('none')).toContain('no source is called none; there are: good, other, bare, weak');
  expect(refused('toString')).toContain('no source is called toString');
  expect(refused('other')).toContain('must have esp: standard-webhooks');
  expect(refused('bare')).toContain('has no secret');
  expect(refused('weak')).toContain('suppresses: all');
  expect(refused('good', 'http://events.example.com')).toContain('plain http');
  expect(refused('good', 'events.example.com')).toContain('an address is needed');
  expect(refused('good', 'http://127.0.0.1:8080/')).toBe('http://127.0.0.1:8080/webhooks/email-events/good');
});
