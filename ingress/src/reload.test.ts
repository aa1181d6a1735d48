import { composeConfig } from '@email-events/core/config';
import { createSigner } from '@email-events/esps/accounts';
import { expect, onTestFinished, test } from 'vitest';
import type { IngressConfig } from './config.ts';
import { ingressService } from './descriptor.ts';
import { reloadOnHangup } from './reload.ts';
import type { Sources } from './sources.ts';
import { type LogLine, logInto } from './testing/harness.ts';

const { parse: parseConfig } = composeConfig([ingressService]);

test('SIGHUP takes over the sources, all or none', async () => {
  const { secrets } = (await createSigner('sendgrid')).settings;
  const sound = parseConfig({ sources: { shop: { esp: 'sendgrid', secrets } } });
  let next: () => IngressConfig = () => sound;
  let current: Sources | undefined;
  const logs: LogLine[] = [];
  const stop = reloadOnHangup(
    () => next(),
    (sources) => {
      current = sources;
    },
    logInto(logs),
  );
  onTestFinished(() => void stop());

  process.emit('SIGHUP');
  expect([...(current?.keys() ?? [])]).toEqual(['shop']);
  const before = current;

  next = () => parseConfig({ sources: { shop: { esp: 'sendgrid', secrets }, broken: { esp: 'mailgun' } } });
  process.emit('SIGHUP');
  expect(current).toBe(before);
  expect(logs.at(-1)).toMatchObject({
    code: 'INGRESS_RELOAD_REFUSED',
    problems: [{ path: 'sources.broken.secrets' }],
  });

  stop();
  next = () => sound;
  process.emit('SIGHUP');
  expect(current).toBe(before);
});
