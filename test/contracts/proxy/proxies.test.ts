import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from '@email-events/cli/home';
import { localCertificate } from '@email-events/dev/certificates';
import { createSigner } from '@email-events/esps/accounts';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../../ingress/src/port.ts';
import { type Harness, rawOf, startHarness } from '../../../ingress/src/testing/harness.ts';
import { programPath } from '../../harness/prometheus.ts';
import { waitFor } from '../../harness/stack.ts';

const HOST = 'hooks.example.com';
const PATH = '/webhooks/email-events/shop';

interface Place {
  readonly folder: string;
  readonly port: number;
  readonly certFile: string;
  readonly keyFile: string;
  /** Of the ingress. */
  readonly upstream: string;
}

interface Proxy {
  readonly program: 'nginx' | 'caddy';
  /** Writes the example, whose paths, port and upstream alone are others. Arguments of the program. */
  prepare(place: Place): readonly string[];
  /** What it has logged of requests; undefined: nothing, by its example. */
  readonly log?: string;
  /** Its answers to a body above the limit. */
  readonly tooLarge: readonly (number | 'cut')[];
}

const exampleOf = (name: string) => readFileSync(join(REPOSITORY, 'deploy', 'proxy', name), 'utf8');

function prepareNginx({ folder, port, certFile, keyFile, upstream }: Place) {
  mkdirSync(join(folder, 'temp'));
  const example = exampleOf('nginx.conf')
    .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
    .replace('/etc/ssl/hooks/cert.pem', certFile)
    .replace('/etc/ssl/hooks/key.pem', keyFile)
    .replaceAll('/var/log/nginx', folder)
    .replace('127.0.0.1:8080', upstream);
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/temp;`,
  );
  const file = join(folder, 'nginx.conf');
  writeFileSync(
    file,
    `${process.getuid?.() === 0 ? 'user root root; ' : ''}daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr;\nevents {}\nhttp {\n${temp.join('\n')}\n${example}}\n`,
  );
  return ['-p', folder, '-c', file];
}

/** Its certificate is one that is there, it binds loopback alone, and no port for those who come without TLS; and it gives an ingress up sooner. */
function prepareCaddy({ folder, port, certFile, keyFile, upstream }: Place) {
  const file = join(folder, 'Caddyfile');
  const example = exampleOf('Caddyfile')
    .replace('{\n', '{\n\tadmin off\n\tauto_https disable_redirects\n')
    .replace(`${HOST} {`, `https://${HOST}:${port} {\n\tbind 127.0.0.1\n\ttls ${certFile} ${keyFile}`)
    .replace('127.0.0.1:8080', upstream)
    .replace('lb_try_duration 5s', 'lb_try_duration 100ms');
  writeFileSync(file, example);
  return ['run', '--config', file, '--adapter', 'caddyfile'];
}

async function start({ program, prepare, log }: Proxy, ingress: Harness) {
  const folder = mkdtempSync(join(tmpdir(), `email-events-${program}-`));
  const { certFile, keyFile } = await localCertificate(join(folder, 'tls'), [HOST]);
  const port = await freePort({ host: '127.0.0.1', port: 0 });
  const args = prepare({ folder, port, certFile, keyFile, upstream: `127.0.0.1:${ingress.port}` });
  const proxy = spawn(await programPath(program), args, {
    stdio: ['ignore', 'inherit', 'pipe'],
    env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  });
  let said = '';
  proxy.stderr.on('data', (text) => {
    said += text;
  });
  onTestFinished(async () => {
    const ended = once(proxy, 'exit');
    if (proxy.exitCode === null && proxy.kill('SIGTERM')) await ended;
    rmSync(folder, { recursive: true });
  });
  const post = (path: string, headers: { [name: string]: string }, body: Buffer | string) =>
    new Promise<number>((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port,
        path,
        method: 'POST',
        servername: HOST,
        ca: readFileSync(certFile),
      };
      const sent = request({ ...options, headers: { host: HOST, ...headers }, agent: false }, (answer) => {
        answer.resume();
        answer.once('end', () => resolve(answer.statusCode ?? 0));
      });
      sent.once('error', reject);
      sent.end(body);
    });
  await waitFor(`${program} listens`, async () => {
    if (proxy.exitCode !== null) throw new Error(said);
    return (await post('/', {}, '').catch(() => 0)) === 404;
  });
  return { post, said: () => said, log: () => log && readFileSync(join(folder, log), 'utf8') };
}

const PROXIES: readonly Proxy[] = [
  { program: 'nginx', prepare: prepareNginx, log: 'webhooks.log', tooLarge: [413] },
  // It does not read on, so the connection may be cut before the sender has read the answer.
  { program: 'caddy', prepare: prepareCaddy, tooLarge: [413, 'cut'] },
];

test.for(PROXIES)(
  '$program passes on what was sent, tells who sent it, and logs no credentials',
  async (proxy) => {
    const signer = await createSigner('sendgrid');
    const ingress = await startHarness({
      sources: {
        shop: {
          esp: 'sendgrid',
          secrets: signer.settings.secrets,
          allow: ['127.0.0.1'],
          maxBodyBytes: 4_194_304,
        },
      },
      ingress: { trustedProxies: ['127.0.0.1'] },
    });
    let isOpen = true;
    const close = async () => {
      if (isOpen) await ingress.close();
      isOpen = false;
    };
    onTestFinished(close);
    const { post, log, said } = await start(proxy, ingress);
    const signed = (body: string) => signer.sign({ body, at: Date.now(), url: PATH });
    const send = (body: string, query = '', more = {}) => {
      const { headers, body: bytes } = signed(body);
      return post(
        `${PATH}${query}`,
        { ...(headers as { [name: string]: string }), ...more },
        Buffer.from(bytes),
      );
    };

    // Claims of the sender, which count for nothing; the signature is over every byte.
    const claims = {
      'x-forwarded-for': '203.0.113.7',
      forwarded: 'for=203.0.113.7',
      authorization: 'Basic c2VjcmV0',
    };
    const odd = '[ {"a":"Ünïcode \\u0000"}\r\n ]';
    expect(await send(odd, '?shop=t%20o/k&x=1', claims)).toBe(200);
    const [first] = ingress.published;
    expect(first?.value.toString()).toBe(odd);
    expect(rawOf(first)).toMatchObject({ url: `${PATH}?shop=t%20o/k&x=1`, remoteAddress: '127.0.0.1' });

    const large = `[${' '.repeat(4_000_000)}]`;
    expect(await send(large)).toBe(200);
    expect(ingress.published.at(-1)?.value).toHaveLength(large.length);
    // Refused by the proxy, and nothing else of the ingress can be reached.
    expect(proxy.tooLarge).toContain(await send(`[${' '.repeat(5_000_000)}]`).catch(() => 'cut'));
    expect(ingress.published).toHaveLength(2);
    expect(await post('/healthz', {}, '')).toBe(404);
    // Nor does it quote what it could not pass on.
    await close();
    expect(await send(odd, '?shop=secret', claims)).toBeGreaterThanOrEqual(502);
    await waitFor('all are logged', () => (log() ?? 'x\n'.repeat(6)).trimEnd().split('\n').length >= 6);
    expect(`${log()}${said()}`).not.toMatch(/shop|c2VjcmV0|webhooks/);
  },
);
