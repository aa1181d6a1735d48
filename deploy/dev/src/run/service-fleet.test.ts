import { setImmediate } from 'node:timers/promises';
import { pathsOf } from '@email-events/cli/home';
import { expect, test } from 'vitest';
import { serviceSpec, stopServices } from './service-fleet.ts';
import { SERVICE_NAMES } from './services.ts';
import type { ServiceState } from './supervisor.ts';

/** Records in order what happens to services whose stop ends when the test says so. */
class MadeUp {
  readonly happened: string[] = [];
  readonly warnings: string[] = [];
  readonly #stops = new Map<string, PromiseWithResolvers<void>>();

  readonly reporter = {
    step: async <T>(name: string, step: string, work: () => Promise<T>): Promise<T> => {
      this.happened.push(`${step} of ${name} is told`);
      return work();
    },
    warn: (text: string) => void this.warnings.push(text),
  };

  service(name: string, state: ServiceState = 'running') {
    const stopped = Promise.withResolvers<void>();
    this.#stops.set(name, stopped);
    const stop = () => {
      this.happened.push(`${name} is asked to stop`);
      return stopped.promise;
    };
    return [name, { state, stop }] as const;
  }

  /** Resolves when what follows from it has happened. */
  async gone(name: string): Promise<void> {
    this.happened.push(`${name} is gone`);
    this.#stops.get(name)?.resolve();
    await setImmediate();
  }

  async fails(name: string, message: string): Promise<void> {
    this.#stops.get(name)?.reject(new Error(message));
    await setImmediate();
  }
}

test('each is gone before the next one is asked to stop', async () => {
  const made = new MadeUp();
  const stopping = stopServices([made.service('a'), made.service('b')], made.reporter);
  await made.gone('a');
  await made.gone('b');
  await stopping;
  expect(made.happened).toEqual([
    ...['stop of a is told', 'a is asked to stop', 'a is gone'],
    ...['stop of b is told', 'b is asked to stop', 'b is gone'],
  ]);
  expect(made.warnings).toEqual([]);
});

test.each<ServiceState>(['running', 'stopped'])(
  'one that cannot be stopped (%s) is told, and the rest is stopped',
  async (state) => {
    const made = new MadeUp();
    const stopping = stopServices([made.service('a', state), made.service('b')], made.reporter);
    await made.fails('a', 'its engine is gone');
    await made.gone('b');
    await stopping;
    expect(made.happened.slice(-2)).toEqual(['b is asked to stop', 'b is gone']);
    expect(made.warnings).toEqual(['a could not be stopped: its engine is gone']);
  },
);

test('one that was killed is waited for; of that nothing is told', async () => {
  const made = new MadeUp();
  const stopping = stopServices([made.service('a', 'stopped'), made.service('b')], made.reporter);
  await setImmediate();
  expect(made.happened).toEqual(['a is asked to stop']);
  await made.gone('a');
  await made.gone('b');
  await stopping;
  expect(made.happened.slice(1)).toEqual([
    ...['a is gone', 'stop of b is told', 'b is asked to stop', 'b is gone'],
  ]);
});

test('no argument of a process is a secret', () => {
  const settings = { paths: pathsOf('/home'), receiverPort: 1, crmSecret: 'whsec_secret' };
  for (const name of SERVICE_NAMES) {
    const { args, nodeArgs = [] } = serviceSpec(name, settings);
    expect([...args, ...nodeArgs].join(' ')).not.toContain('whsec_');
  }
});
