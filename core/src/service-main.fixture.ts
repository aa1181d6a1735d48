import { adminPort, type CommonConfig, ConfigError, section } from './config/index.ts';
import type { RunningService } from './lifecycle.ts';
import { defineService, type ServiceContext } from './service.ts';
import { serviceMain } from './service-main.ts';

/** A service for the tests of serviceMain; the client id says how it behaves, its exit code and output what happened. */
async function start({ config, log }: ServiceContext<CommonConfig>): Promise<RunningService> {
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

await serviceMain(
  defineService({
    name: 'fixture',
    title: 'behaves as told',
    section: 'fixture',
    config: section({ adminPort: adminPort(0) }, 'The fixture.'),
    reads: ['kafka', 'registry'],
    codes: {},
    entry: 'core/src/service-main.fixture.ts',
    writes: [],
    load: async () => ({ start }),
    loadCheck: async () => ({
      check({ kafka: { clientId } }) {
        if (clientId === 'refused') throw new ConfigError([{ path: 'kafka.clientId', message: 'refused' }]);
        return [];
      },
    }),
  }),
);
