import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { Secret } from '../../config/secret.ts';
import { Tokens } from './sasl.ts';

const PASSWORD = 'not: to be/shown';

type Answer = (response: ServerResponse, asked: number) => void;
const token = (more: object = {}, status = 200): Answer => {
  return (response, asked) => {
    response.statusCode = status;
    response.end(JSON.stringify({ access_token: `token ${asked}`, token_type: 'Bearer', ...more }));
  };
};

async function startTokens(answer: Answer, scope?: string) {
  const asked: { authorization: string | undefined; body: string }[] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    asked.push({ authorization: request.headers.authorization, body });
    answer(response, asked.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const clock = { now: 1_000_000 };
  const tokenUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  const settings = { username: 'events', password: new Secret(PASSWORD), tokenUrl, scope };
  return { asked, clock, tokens: new Tokens(settings, () => clock.now) };
}

test('a token is asked for with the client credentials, and used for most of its life', async () => {
  const { asked, clock, tokens } = await startTokens(token({ expires_in: 50 }), 'kafka');
  expect(await Promise.all([tokens.current(), tokens.current()])).toEqual(['token 1', 'token 1']);
  const [first] = asked;
  const credentials = `events:${encodeURIComponent(PASSWORD)}`;
  expect(first?.authorization).toBe(`Basic ${Buffer.from(credentials).toString('base64')}`);
  expect(first?.body).toBe('grant_type=client_credentials&scope=kafka');
  clock.now += 39_000;
  expect(await tokens.current()).toBe('token 1');
  clock.now += 2_000;
  expect(await tokens.current()).toBe('token 2');
  expect(asked).toHaveLength(2);
});

test('one that lives for long is asked for anew after a minute', async () => {
  const { clock, tokens } = await startTokens(token({ expires_in: 3_600 }));
  await tokens.current();
  clock.now += 59_000;
  expect(await tokens.current()).toBe('token 1');
  clock.now += 2_000;
  expect(await tokens.current()).toBe('token 2');
});

test('one that does not say how long it lives is used once', async () => {
  const { tokens } = await startTokens(token());
  expect([await tokens.current(), await tokens.current()]).toEqual(['token 1', 'token 2']);
});

test.each<[string, Answer]>([
  ['a refusal', token({ error: PASSWORD }, 401)],
  ['no JSON', (response) => response.end(PASSWORD)],
  ['no token', (response) => response.end(JSON.stringify({ token: PASSWORD }))],
  ['an answer without end', (response) => void response.write(PASSWORD.repeat(10_000))],
  ['a broken answer', (response) => response.destroy()],
  [
    'another address',
    (response) => {
      response.statusCode = 307;
      response.setHeader('location', '/elsewhere');
      response.end();
    },
  ],
])('%s is told as such, tried again, and shows nothing', async (_, answer) => {
  let next = answer;
  const { asked, tokens } = await startTokens((response, count) => next(response, count));
  const error = await tokens.current().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'KAFKA_TOKEN_REFUSED', retriable: true });
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(PASSWORD);
  expect(asked).toHaveLength(1);
  next = token({ expires_in: '60' });
  expect(await tokens.current()).toBe('token 2');
});
