import { expect, test } from 'vitest';
import { renderLocal, renderUrls } from '../commands/status.ts';
import type { RunState } from '../state-file.ts';
import { isWell } from './instance.ts';
import { type LocalReport, type LocalService, readLocal } from './local.ts';

const STARTED = '2026-01-02T03:04:05.678Z';

const starting: RunState = {
  ...{ pid: 1, phase: 'starting', startedAt: STARTED, configFile: '/nowhere/pipeline.yaml' },
  ...{ certificate: null, urls: null, components: [] },
  services: [
    {
      ...{ name: 'ingress', state: 'starting', pid: 7, restarts: 0 },
      adminUrl: null,
      logFile: '/logs/ingress.log',
    },
  ],
};

const running = (more: Partial<LocalReport>): LocalReport => ({
  ...{ ...starting, phase: 'running', ready: true, counts: null, accounting: null },
  ...{ concerns: [], services: [] },
  ...{ sources: [], recentSeconds: 300, spool: null, ingresses: { asked: 1, told: 1 }, onlyRefused: [] },
  ...more,
});

test('a pipeline that starts for the first time has a status, before it has a configuration', async () => {
  const report = await readLocal(starting);
  expect(report).toMatchObject({
    ...{ ready: false, counts: null, sources: [], ingresses: { asked: 1, told: 0 } },
    services: [{ name: 'ingress', state: 'starting', readiness: null, lag: null }],
  });
  expect(isWell(report)).toBe(false);
  const text = await renderLocal(report);
  expect(text).toMatch(/^starting \(up since 2026-01-02 03:04:05 UTC, process 1\)\n/);
  expect(text).toContain('no ingress tells what came in');
  expect(await renderUrls(starting.urls)).toBe('not known before everything runs');
});

test('what runs and is well is ready; what is degraded says so', async () => {
  const service: LocalService = {
    ...{
      name: 'ingress',
      state: 'running',
      pid: 7,
      restarts: 0,
      adminUrl: 'http://x',
      logFile: '/logs/ingress.log',
    },
    ...{ problems: {}, partitions: {}, lag: { records: 1_234, exact: true } },
    readiness: 'ok',
  };
  const ok = await renderLocal(running({ services: [service] }));
  expect(ok).toMatch(/^ready \(up since /);
  expect(ok).toMatch(/ingress +running +ok +1,234 +0 +http:\/\/x/);
  const problems = { spool: 'INGRESS_SPOOL_FULL' };
  const places = ['in/0', 'in/1', 'in/2', 'in/3'].map((place) => [place, 'STATE_DISK_FULL']);
  const some = { ...service, readiness: 'degraded', problems: { state: 'STATE_DISK_FULL' } } as const;
  expect(
    await renderLocal(running({ services: [{ ...some, partitions: Object.fromEntries(places) }] })),
  ).toMatch(/degraded: state STATE_DISK_FULL on in\/0, in\/1, in\/2, 1 more/);
  const degraded = await renderLocal(
    running({ services: [{ ...service, readiness: 'degraded', problems }] }),
  );
  expect(degraded).toMatch(/^degraded \(up since /);
  expect(degraded).toMatch(/ingress +running +degraded: spool INGRESS_SPOOL_FULL/);
});

test('the sums of some instances are not told as those of all; what is set aside is told', async () => {
  const text = await renderLocal(
    running({
      ingresses: { asked: 3, told: 2 },
      spool: { records: 1, bytes: 1, oldestAt: STARTED, setAside: 1 },
    }),
  );
  expect(text).toContain('what 2 ingresses of 3 told: the others are not counted');
  expect(text).toContain(
    'spool: 1 request (1 byte) waits for Kafka, the oldest of 2026-01-02 03:04:05; 1 set aside, which somebody must look at',
  );
});

test('where a source is refused for several reasons, the most frequent is named; the log is, where it is here', async () => {
  const recent = { accepted: 0, refused: { SIGNATURE_MISSING: 1, SIGNATURE_WRONG: 2 } };
  const sinceStart = { accepted: 5, refused: { SIGNATURE_MISSING: 9, SIGNATURE_WRONG: 2 } };
  const text = await renderLocal(
    running({
      sources: [{ name: 'shop', esp: 'sendgrid', lastAcceptedAt: STARTED, sinceStart, recent }],
      onlyRefused: ['shop'],
      services: [
        {
          ...{ name: 'ingress', state: 'running', pid: 7, restarts: 0, adminUrl: null, readiness: 'ok' },
          ...{ logFile: '/logs/ingress.log', problems: {}, partitions: {}, lag: null },
        },
      ],
    }),
  );
  expect(text).toMatch(/^ready, 1 source gets nothing but refusals \(up since /);
  expect(text).toMatch(/shop +sendgrid +2026-01-02 03:04:05 +5 +0 +11 +3 +SIGNATURE_WRONG/);
  expect(text).toContain('shop had 3 requests in the last 5 min, all refused: most of them SIGNATURE_WRONG');
  expect(text).toContain('→ what to look at is in /logs/ingress.log');
});

test('what was counted is shown by source; what does not balance is not well', async () => {
  const accounting = {
    sources: [{ name: 'shop', published: 3, read: 4, putBack: 1, normalized: 7, deadLetters: 2 }],
    ...{ normalized: 7, handedOver: 7, received: 7, emitted: 5, duplicates: 2, deadLetters: 0, erased: 0 },
    ...{ atRest: true, wrong: [] },
  };
  const well = running({ accounting });
  expect(isWell(well)).toBe(true);
  const text = await renderLocal(well);
  expect(text).toMatch(/shop +4 +1 +7 +2/);
  expect(text).toContain('accounts: 7 events = 5 emitted + 2 duplicates + 0 dead letters; nothing waits');
  const lost = running({ accounting: { ...accounting, wrong: ['1 event is away'] } });
  expect(isWell(lost)).toBe(false);
  expect(await renderLocal(lost)).toMatch(/^ready, the accounts do not balance \(up/);
  expect(await renderLocal(lost)).toContain('does not balance: 1 event is away');
});
