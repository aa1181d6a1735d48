import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createLogger, type RunningService, runAsProcess } from '@email-events/core';
import { resolveSecret } from '@email-events/core/config';
import { startReceiver } from './receiver.ts';

/** Secrets come from the environment, so that no process list shows them; `file:PATH` each, or themselves. */
const SECRETS_VARIABLE = 'EMAIL_EVENTS_RECEIVER_SECRETS';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '8090' },
    'data-dir': { type: 'string', default: '.email-events/receiver' },
    /** PEM files: it serves HTTPS. */
    'tls-cert': { type: 'string' },
    'tls-key': { type: 'string' },
  },
});

async function start(): Promise<RunningService> {
  const secrets = (process.env[SECRETS_VARIABLE] ?? '').split(',').filter((secret) => secret !== '');
  const receiver = await startReceiver({
    host: values.host,
    port: Number(values.port),
    secrets: secrets.map((secret) => resolveSecret(secret, process.env)),
    dataDir: values['data-dir'],
    tls: tlsOf(values['tls-cert'], values['tls-key']),
  });
  const { promise: done, resolve } = Promise.withResolvers<void>();
  return {
    ports: { http: receiver.port },
    stop: async () => {
      await receiver.stop();
      resolve();
    },
    done,
  };
}

function tlsOf(certFile: string | undefined, keyFile: string | undefined) {
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined)
    throw new Error('--tls-cert and --tls-key go together');
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
}

await runAsProcess(start, createLogger('receiver', 'info'));
