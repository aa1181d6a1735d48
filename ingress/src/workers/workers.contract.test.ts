import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createSigner, type Signer } from '@email-events/esps/accounts';
import { expect, type TestContext, test, vi } from 'vitest';

const MAIN = new URL('../main.ts', import.meta.url).pathname;
const PATH = '/webhooks/email-events/shop';
const WORKERS = 2;
/** For the operating system to end processes, and for two processes to answer. */
const SOON = { timeout: 20_000, interval: 50 };

interface Line {
  readonly msg: string;
  readonly code?: string;
  readonly worker?: number;
}

interface Whole {
  readonly child: ChildProcess;
  readonly ports: { readonly http: number; readonly admin: number };
  readonly spoolDir: string;
  readonly secretFile: string;
  readonly signer: Signer;
  readonly lines: readonly Line[];
  readonly exited: Promise<unknown[]>;
}

/** Without Kafka: requests are durable in the spools. */
async function start(context: TestContext, spool: { readonly drainOnStopMs?: number } = {}): Promise<Whole> {
  const dir = mkdtempSync(join(tmpdir(), 'email-events-workers-'));
  const [spoolDir, secretFile] = [join(dir, 'spool'), join(dir, 'secret')];
  const signer = await createSigner('mailtrap');
  writeFileSync(secretFile, String(signer.settings.secrets[0]));
  const config = {
    kafka: { brokers: ['127.0.0.1:1'] },
    ingress: { port: 0, adminPort: 0, workers: WORKERS, spool: { dir: spoolDir, ...spool } },
    sources: { shop: { esp: 'mailtrap', secrets: [`file:${secretFile}`] } },
  };
  const file = join(dir, 'ingress.yaml');
  writeFileSync(file, JSON.stringify(config));
  const child = fork(MAIN, ['--config', file], { silent: true });
  const exited = once(child, 'exit');
  context.onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
    // Its workers have the folder until they are gone.
    await vi.waitFor(() => rmSync(dir, { recursive: true, force: true }), SOON);
  });
  const lines: Line[] = [];
  let rest = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    const pieces = `${rest}${chunk}`.split('\n');
    rest = pieces.pop() ?? '';
    for (const piece of pieces) if (piece.startsWith('{')) lines.push(JSON.parse(piece) as Line);
  });
  const [message] = (await Promise.race([once(child, 'message'), exited.then(() => [])])) as [
    { ports: Whole['ports'] }?,
  ];
  if (!message) throw new Error(`it did not start: ${JSON.stringify(lines)}`);
  return { child, ports: message.ports, spoolDir, secretFile, signer, lines, exited };
}

const signed = (signer: Signer) => signer.sign({ body: '{"events":[]}', at: Date.now(), url: PATH });

/** On a connection by itself. */
async function send({ ports, signer }: Pick<Whole, 'ports' | 'signer'>): Promise<number> {
  const { headers, body } = signed(signer);
  const sent = request({ port: ports.http, path: PATH, method: 'POST', headers, agent: false });
  sent.end(body);
  const [answer] = await once(sent, 'response');
  answer.resume();
  return answer.statusCode;
}

const sendMany = (whole: Pick<Whole, 'ports' | 'signer'>, count: number) =>
  Promise.all(Array.from({ length: count }, () => send(whole)));

const ask = ({ ports }: Whole, path: string) => fetch(`http://127.0.0.1:${ports.admin}${path}`);

/** Ids of the processes that this one has started. */
const childrenOf = ({ child }: Whole): number[] =>
  execFileSync('pgrep', ['-P', String(child.pid)], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map(Number);

const isThere = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('several workers take requests on one port and are watched as one', async (context) => {
  const whole = await start(context);
  let sent = 0;
  // Each has its own spool, made for its first request: until both were given some.
  while (sent < 6 || (readdirSync(whole.spoolDir).length < WORKERS && sent < 200)) {
    expect(await send(whole)).toBe(200);
    sent++;
  }
  expect(readdirSync(whole.spoolDir).length).toBe(WORKERS);

  const status = await (await ask(whole, '/status')).json();
  expect(status).toMatchObject({
    sources: [{ name: 'shop', sinceStart: { accepted: sent, refused: {} } }],
    spool: { records: sent },
  });
  const metrics = await (await ask(whole, '/metrics')).text();
  expect(metrics).toMatch(
    new RegExp(`^email_events_ingress_requests_total\\{.*code="OK".*\\} ${sent}$`, 'm'),
  );
  expect(metrics).toMatch(new RegExp(`^email_events_ingress_request_seconds_count\\{.*\\} ${sent}$`, 'm'));
  expect(metrics).toMatch(/^email_events_ingress_kafka_up\{.*\} 0$/m);
  expect(metrics).toMatch(/^email_events_ingress_spool_up\{.*\} 1$/m);
  expect(metrics).toMatch(/^email_events_build_info\{.*\} 1$/m);
  expect(metrics).toMatch(/^process_start_time_seconds\{.*\} \d+/m);
  const ready = await ask(whole, '/readyz');
  expect([ready.status, await ready.json()]).toMatchObject([
    200,
    { status: 'degraded', dependencies: { kafka: 'KAFKA_UNREACHABLE', spool: 'ok' } },
  ]);

  // One that stands still is noticed, by what asks for all.
  const [frozen = 0] = childrenOf(whole);
  process.kill(frozen, 'SIGSTOP');
  const [health, readiness] = await Promise.all([ask(whole, '/healthz'), ask(whole, '/readyz')]);
  process.kill(frozen, 'SIGCONT');
  expect([health.status, readiness.status]).toEqual([503, 503]);
  await vi.waitFor(async () => expect((await ask(whole, '/healthz')).status).toBe(200), SOON);
});

test('SIGHUP changes the secrets of all; SIGTERM lets each finish what it has', async (context) => {
  const whole = await start(context);
  const other = await createSigner('mailtrap');
  writeFileSync(whole.secretFile, String(other.settings.secrets[0]));
  whole.child.kill('SIGHUP');
  await vi.waitFor(() => {
    const told = whole.lines.filter(({ msg }) => msg === 'sources read again');
    expect(new Set(told.map(({ worker }) => worker)).size).toBe(WORKERS);
  }, SOON);
  const renewed = { ports: whole.ports, signer: other };
  expect(await sendMany(renewed, 4)).toEqual(Array(4).fill(200));
  expect(await sendMany(whole, 4)).toEqual(Array(4).fill(401));

  // Requests whose bodies are not there yet.
  const { headers, body } = signed(other);
  const head = Object.entries({ ...headers, host: 'x', 'content-length': String(body.length) })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const sockets = Array.from({ length: 8 }, () => connect(whole.ports.http, '127.0.0.1'));
  for (const socket of sockets) socket.write(`POST ${PATH} HTTP/1.1\r\n${head}\r\n${body.subarray(0, 3)}`);
  await vi.waitFor(async () => {
    const metrics = await (await ask(whole, '/metrics')).text();
    const bytes = /^email_events_ingress_in_flight_bytes\{.*\} (\d+)$/m.exec(metrics)?.[1];
    // What a request takes besides its body, of each.
    expect(Number(bytes)).toBeGreaterThan(8 * 2_000);
  }, SOON);
  whole.child.kill('SIGTERM');
  await vi.waitFor(() => expect(ask(whole, '/readyz').then(({ status }) => status)).resolves.toBe(503), SOON);
  const answers = sockets.map((socket) => text(socket));
  for (const socket of sockets) socket.write(body.subarray(3));
  for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^HTTP\/1.1 200 /);
  expect(await whole.exited).toEqual([0, null]);
});

test('a worker that has emptied its spool ends before the other, which is watched until it has', async (context) => {
  const whole = await start(context, { drainOnStopMs: 600_000 });
  const stranger = { ports: whole.ports, signer: await createSigner('mailtrap') };
  // It would be a coincidence if only one of the workers got them.
  expect(await sendMany(stranger, 20)).toEqual(Array(20).fill(401));
  expect(await send(whole)).toBe(200);
  const metrics = async () => {
    const answer = await ask(whole, '/metrics');
    expect(answer.status).toBe(200);
    return answer.text();
  };
  const refused = /^email_events_ingress_requests_total\{.*code="SIGNATURE_WRONG".*\} 20$/m;
  expect(await metrics()).toMatch(refused);
  whole.child.kill('SIGTERM');
  await vi.waitFor(() => expect(childrenOf(whole)).toHaveLength(WORKERS - 1), SOON);
  const left = await metrics();
  expect(left).toMatch(refused);
  expect(left).toMatch(/^email_events_ingress_spool_records\{.*\} 1$/m);
  expect((await ask(whole, '/healthz')).status).toBe(200);
  expect(await (await ask(whole, '/status')).json()).toMatchObject({ spool: { records: 1 } });
  expect(whole.child.exitCode).toBeNull();
});

test('a worker that dies ends the whole, with an error', async (context) => {
  const whole = await start(context);
  const [first = 0, second = 0] = childrenOf(whole);
  process.kill(first, 'SIGKILL');
  expect(await whole.exited).toEqual([1, null]);
  expect(isThere(second)).toBe(false);
  expect(whole.lines).toContainEqual(
    expect.objectContaining({ code: 'INGRESS_WORKER_ENDED', msg: 'a worker ended by itself' }),
  );
});

test('without the process that holds them together no worker goes on', async (context) => {
  const whole = await start(context);
  const workers = childrenOf(whole);
  expect(workers.length).toBe(WORKERS);
  whole.child.kill('SIGKILL');
  await whole.exited;
  await vi.waitFor(() => expect(workers.filter(isThere)).toEqual([]), SOON);
});
