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

/** nginx with the example, whose paths, port and upstream alone are others. */
async function startNginx(ingress: Harness) {
  const folder = mkdtempSync(join(tmpdir(), 'email-events-nginx-'));
  const { certFile, keyFile } = await localCertificate(join(folder, 'tls'), [HOST]);
  const port = await freePort({ host: '127.0.0.1', port: 0 });
  mkdirSync(join(folder, 'temp'));
  const example = readFileSync(join(REPOSITORY, 'deploy', 'proxy', 'nginx.conf'), 'utf8')
    .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
    .replace('/etc/ssl/hooks/cert.pem', certFile)
    .replace('/etc/ssl/hooks/key.pem', keyFile)
    .replaceAll('/var/log/nginx', folder)
    .replace('127.0.0.1:8080', `127.0.0.1:${ingress.port}`);
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/temp;`,
  );
  const file = join(folder, 'nginx.conf');
  writeFileSync(
    file,
    `${process.getuid?.() === 0 ? 'user root root; ' : ''}daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr;\nevents {}\nhttp {\n${temp.join('\n')}\n${example}}\n`,
  );
  const nginx = spawn(await programPath('nginx'), ['-p', folder, '-c', file], {
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  let said = '';
  nginx.stderr.on('data', (text) => {
    said += text;
  });
  onTestFinished(async () => {
    const ended = once(nginx, 'exit');
    if (nginx.exitCode === null && nginx.kill('SIGTERM')) await ended;
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
  await waitFor('nginx listens', async () => {
    if (nginx.exitCode !== null) throw new Error(said);
    return (await post('/', {}, '').catch(() => 0)) === 404;
  });
  return { post, log: () => readFileSync(join(folder, 'webhooks.log'), 'utf8') };
}

test('nginx passes on what was sent, tells who sent it, and logs no credentials', async () => {
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
  onTestFinished(() => ingress.close());
  const { post, log } = await startNginx(ingress);
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
  // Refused by nginx, and nothing else of the ingress can be reached.
  expect(await send(`[${' '.repeat(5_000_000)}]`)).toBe(413);
  expect(ingress.published).toHaveLength(2);
  expect(await post('/healthz', {}, '')).toBe(404);
  await waitFor('all are logged', () => log().trimEnd().split('\n').length >= 5);
  expect(log()).not.toMatch(/shop|c2VjcmV0|webhooks/);
});
