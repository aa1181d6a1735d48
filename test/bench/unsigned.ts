import { createHmac } from 'node:crypto';
import { adapters, type EspRequest, type Resources, type Verifier } from '@email-events/esps';
import { createSigner } from '@email-events/esps/accounts';
import { espArguments, writeResult } from '../src/result.ts';

/** A body of about `bytes` that is made to cost much. */
interface HostileBody {
  readonly name: string;
  readonly contentType?: string;
  readonly body: Buffer;
}

const FORM = 'application/x-www-form-urlencoded';
const STRUCTURE = ['[],', '{},', '"",', '"a",', '1,', '"\\"",', '"[]",', '[[1,2]],', '"\\\\",', '"aaaa",'];
const ESCAPES = ['\\n', 'a', '\\u0061', 'bcde', '\\"', '\\u00e9'];
const MULTIPART = 'multipart/form-data; boundary=b';

/** The fields at the top of a request of these ESPs, without which the verifier does not look at the rest of the body. */
function besidesOf(esp: string): string {
  switch (esp) {
    case 'mailgun':
      return `"signature":${JSON.stringify({ timestamp: nowSeconds(), token: 't', signature: '0'.repeat(64) })}`;
    case 'unisender-go':
      return `"auth":"${'0'.repeat(32)}"`;
    case 'ses':
      return JSON.stringify({
        Type: 'Notification',
        TopicArn: 'arn:aws:sns:eu-west-1:123456789012:email-events',
        Timestamp: new Date().toISOString(),
        SignatureVersion: '2',
        SigningCertURL: 'https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem',
        Signature: Buffer.alloc(256, 1).toString('base64'),
      }).slice(1, -1);
    default:
      return '"x":1';
  }
}

const nowSeconds = () => String(Math.floor(Date.now() / 1000));

/** Pieces as if at random, always the same: what comes next cannot be guessed, neither by us nor by the processor. */
function mixed(pieces: readonly string[], bytes: number): string {
  const text: string[] = [];
  for (let seed = 1, length = 0; ; ) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    const piece = pieces[(seed >>> 16) % pieces.length] ?? '';
    length += piece.length;
    if (length > bytes) return text.join('');
    text.push(piece);
  }
}

/** JSON that is structure, strings, escapes, long numbers, nesting, names, all of these; and forms of many fields. */
function hostileBodies(esp: string, bytes: number): HostileBody[] {
  const besides = besidesOf(esp);
  // SES signs the field Message.
  const payload = esp === 'ses' ? 'Message' : 'payload';
  const json = (name: string, before: string, unit: string, after: string): HostileBody => {
    const start = `{${besides},"${payload}":${before}`;
    const count = Math.floor((bytes - start.length - after.length - 1) / unit.length);
    return { name, body: Buffer.from(`${start}${unit.repeat(count)}${after}}`) };
  };
  const mixture = (name: string, pieces: readonly string[], before: string, after: string): HostileBody => {
    const start = `{${besides},"${payload}":${before}`;
    const text = mixed(pieces, bytes - start.length - after.length - 1);
    return { name, body: Buffer.from(`${start}${text}${after}}`) };
  };
  const half = Math.floor(bytes / 2);
  return [
    json('a long string', '"', 'a', '"'),
    json('escapes', '"', '\\u0061', '"'),
    json('quotes', '"', '\\"', '"'),
    json('long integers', '[', '1234567890123456789,', '1]'),
    json('empty lists', '[', '[],', '1]'),
    json('empty strings', '[', '"",', '""]'),
    json('events', '[', '{"event":"open","email":"a@example.com","n":1234567890123456789},', '1]'),
    mixture('a mixture', STRUCTURE, '[', '1]'),
    mixture('a mixture of escapes', ESCAPES, '"', '"'),
    // The fields that the verifier wants stand behind all of it, and in it where they do not count.
    {
      name: 'fields at the end',
      body: Buffer.from(`{"payload":[${mixed([...STRUCTURE, `{${besides}}`], bytes - 900)}1],${besides}}`),
    },
    {
      name: 'nesting',
      body: Buffer.from(`{${besides},"${payload}":${'['.repeat(half)}${']'.repeat(half)}}`),
    },
    { name: 'names', body: Buffer.from(`{${besides}${',"\\u0061":1'.repeat(Math.floor(bytes / 11))}}`) },
    { name: 'no JSON', body: Buffer.alloc(bytes, '{') },
    { name: 'no UTF-8', body: Buffer.alloc(bytes, 0xe9) },
    {
      name: 'form: one field',
      contentType: FORM,
      body: Buffer.from(`mandrill_events=${'%5B'.repeat(Math.floor(bytes / 3))}`),
    },
    {
      name: 'form: a mixture',
      contentType: FORM,
      body: Buffer.from(`mandrill_events=${mixed(['a', '%5B', '+', 'bcd', '%7B%22'], bytes - 16)}`),
    },
    {
      name: 'form: few escapes',
      contentType: FORM,
      body: Buffer.from(`mandrill_events=${mixed(['aaaa', 'aaa%5B', 'aaaaaa', 'a%22aa'], bytes - 16)}`),
    },
    {
      name: 'form: plus signs',
      contentType: FORM,
      body: Buffer.from(`mandrill_events=${'+'.repeat(bytes - 16)}`),
    },
    { name: 'form: separators', contentType: FORM, body: Buffer.alloc(bytes, '&') },
    { name: 'form: fields', contentType: FORM, body: Buffer.from('a=b&'.repeat(Math.floor(bytes / 4))) },
    { name: 'multipart', contentType: MULTIPART, body: Buffer.from('\r\n--b'.repeat(Math.floor(bytes / 5))) },
  ];
}

// The cost of a request that proves nothing: 1 MB of the bytes that make its verification work hardest, on one thread. The measure is
// the digest of as many bytes in the same run, which most ESPs' signatures need anyway.

const BYTES = 1_048_576;
const ROUNDS = 3;
/** Of a round: the clock of a thread goes in steps of some milliseconds. Microseconds of CPU. */
const ROUND_CPU = 120_000;
/** A body that costs next to nothing is not verified more often than that. */
const MOST_TIMES = 2_000;
const WARM_UP = 6;

interface Cost {
  readonly esp: string;
  /** The body that costs most. */
  readonly worst: string;
  /** Microseconds of CPU. */
  readonly cpu: number;
  /** Of the digest, before and after it. Microseconds of CPU. */
  readonly digest: number;
}

/** `npm run bench -- unsigned [ESP …] [--rounds N]` */
export async function run(args: string[]): Promise<void> {
  const { esps, rounds, isPart } = espArguments(args, ROUNDS);
  const costs: Cost[] = [];
  for (const esp of esps) {
    const before = digest(rounds);
    const worst = await worstOf(esp, rounds);
    costs.push({ ...worst, digest: Math.min(before, digest(rounds)) });
  }
  print(costs);
  await writeResult(isPart ? 'unsigned-part' : 'unsigned', {
    rounds,
    bytes: BYTES,
    ...Object.fromEntries(
      costs.flatMap(({ esp, worst, cpu, digest }) => [
        [`${esp}: µs`, Math.round(cpu)],
        [`${esp}: HMAC-SHA256 alone, µs`, Math.round(digest)],
        [`${esp}: ratio to the digest`, Math.round((cpu / digest) * 100) / 100],
        [`${esp}: body`, worst],
      ]),
    ),
  });
}

const HASHED = Buffer.alloc(BYTES, 'a');

/** Taken beside each ESP: how fast the machine is changes within a run. */
function digest(rounds: number): number {
  return least(rounds, () => createHmac('sha256', 'key').update(HASHED).digest());
}

async function worstOf(esp: string, rounds: number): Promise<Omit<Cost, 'digest'>> {
  const [ours, theirs] = [await createSigner(esp), await createSigner(esp)];
  const adapter = adapters.find(({ name }) => name === esp);
  if (!adapter) throw new Error(`no adapter ${esp}`);
  const verifier = adapter.verifier(ours.settings);
  // Signed with another account's keys: a missing proof would cost nothing.
  const forged = theirs.sign({ body: '[]', at: Date.now() });
  const costs = hostileBodies(esp, BYTES).map(({ name, contentType, body }) => {
    const type = contentType ?? forged.headers['content-type'] ?? 'application/json';
    const request: EspRequest = { ...forged, headers: { ...forged.headers, 'content-type': type }, body };
    return { esp, worst: name, cpu: least(rounds, () => refused(verifier, request, ours.resources)) };
  });
  return costs.reduce((most, cost) => (cost.cpu > most.cpu ? cost : most));
}

function refused(verifier: Verifier, request: EspRequest, resources: Resources): void {
  const { outcome } = verifier.verify(request, resources);
  if (outcome !== 'refused') throw new Error(`an unsigned request was ${outcome}`);
}

/** Of several rounds: what else runs on the machine only adds to it. */
function least(rounds: number, work: () => unknown): number {
  for (let i = 0; i < WARM_UP; i++) work();
  const costs = Array.from({ length: rounds }, () => {
    const before = process.threadCpuUsage();
    for (let times = 1; ; times++) {
      work();
      const { user, system } = process.threadCpuUsage(before);
      if (user + system >= ROUND_CPU || times >= MOST_TIMES) return (user + system) / times;
    }
  });
  return Math.min(...costs);
}

function print(costs: readonly Cost[]): void {
  const rows = [
    ['ESP', 'CPU µs', 'digest', 'ratio', 'body'],
    ...costs.map(({ esp, worst, cpu, digest }) => [
      esp,
      cpu.toFixed(0),
      digest.toFixed(0),
      (cpu / digest).toFixed(2),
      worst,
    ]),
  ];
  for (const [esp = '', cpu = '', alone = '', ratio = '', body = ''] of rows)
    process.stdout.write(
      `${esp.padEnd(20)}  ${cpu.padStart(8)}  ${alone.padStart(8)}  ${ratio.padStart(6)}  ${body}\n`,
    );
}
