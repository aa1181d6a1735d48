import { parseArgs } from 'node:util';
import { createLogger, type RunningService, runAsProcess } from '@email-events/core';
import { startReceiver } from './receiver.ts';

/** Secrets come from the environment, so that no process list shows them. */
const SECRETS_VARIABLE = 'EMAIL_EVENTS_RECEIVER_SECRETS';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '8090' },
    'data-dir': { type: 'string', default: '.email-events/receiver' },
  },
});

async function start(): Promise<RunningService> {
  const secrets = (process.env[SECRETS_VARIABLE] ?? '').split(',').filter((secret) => secret !== '');
  const receiver = await startReceiver({
    host: values.host,
    port: Number(values.port),
    secrets,
    dataDir: values['data-dir'],
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

await runAsProcess(start, createLogger('receiver', 'info'));
