import { ConfigError } from './config/index.ts';
import type { RunningService } from './lifecycle.ts';
import { type ServiceContext, serviceMain } from './service-main.ts';

/** A service for the tests of serviceMain; the client id says how it behaves, its exit code and output what happened. */
async function start({ config, log }: ServiceContext): Promise<RunningService> {
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  const { clientId } = config.kafka;
  const alive = setInterval(() => {}, 1_000);
  log.info('starting');
  if (clientId === 'fails-to-start') throw new TypeError('cannot');
  if (clientId === 'never-starts') await new Promise(() => {});
  if (clientId === 'ends-by-itself') setImmediate(() => reject(new RangeError('gone')));
  let stops = 0;
  return {
    ports: { admin: 4711 },
    async stop() {
      log.info({ stops: ++stops }, 'stopping');
      if (clientId !== 'leaves-work-behind') clearInterval(alive);
      // Goes on until it was asked once more: that must not begin another stop.
      if (clientId === 'is-asked-twice') await askedAgain();
      if (clientId !== 'leaves-work-behind') resolve();
    },
    done,
  };
}

function askedAgain(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => setImmediate(resolve));
  });
}

await serviceMain('fixture', start, {
  reads: ['kafka', 'registry'],
  checks: [
    ({ kafka: { clientId } }) => {
      if (clientId === 'refused') throw new ConfigError([{ path: 'kafka.clientId', message: 'refused' }]);
    },
  ],
});
