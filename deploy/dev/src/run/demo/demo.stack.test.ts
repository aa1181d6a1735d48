import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathsOf } from '@email-events/cli/home';
import type { RunState } from '@email-events/cli/state-file';
import { type RunningBin, runBin, startBin } from '@email-events/cli/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unique, uniqueDatabase } from '../../../../../test/harness/isolation.ts';
import { promtool } from '../../../../../test/harness/prometheus.ts';
import { fileScope, vacantStack, waitFor } from '../../../../../test/harness/stack.ts';
import { describedMetrics } from '../../../../../test/src/declared-metrics.ts';
import { metricsIn, undeclared } from '../../../../../test/src/metrics-page.ts';
import { tcpAnswers } from '../../stack/probes.ts';

// Runs the whole pipeline as `npm start` does: real components and services, on a new home. With STACK=external all tests of the
// run share the components, so this test's topics and databases have other names there.

const home = mkdtempSync(join(tmpdir(), 'email-events-home-'));
const env = {
  EMAIL_EVENTS_HOME: home,
  EMAIL_EVENTS_KAFKA_GROUP_PREFIX: unique('demo'),
  EMAIL_EVENTS_SINKS_CLICKHOUSE_DATABASE: uniqueDatabase('demo'),
};
const file = fileScope();
beforeAll(async () => void (await vacantStack(file.scope)));
afterAll(async () => {
  // Nothing runs, unless a test failed: it must not run on without its folder.
  await runBin(['down'], { env });
  await file.end();
  rmSync(home, { recursive: true, force: true });
});

/** What `start --demo --json` prints, as far as it is looked at. */
interface DemoReport {
  readonly checks: readonly { readonly agrees: boolean }[];
  readonly totals: { readonly rows: number };
  readonly sent: { readonly expected: { readonly duplicates: number } };
}

const readRunning = () => JSON.parse(readFileSync(pathsOf(home).stateFile, 'utf8')) as RunState;
const lives = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
/** Whether anything of that start is left: a process of the pipeline, or a component that takes connections. */
async function isGone({ pid, services, components }: RunState): Promise<boolean> {
  const pids = [pid, ...services.map((service) => service.pid)].filter((id) => id !== null);
  const listening = await Promise.all(
    components.map(({ address }) => {
      const { hostname, port } = new URL(address.includes('://') ? address : `kafka://${address}`);
      return tcpAnswers(hostname, Number(port));
    }),
  );
  return !pids.some(lives) && !listening.includes(true);
}

function expectAgreement(report: DemoReport): void {
  expect(report.checks.filter(({ agrees }) => !agrees)).toEqual([]);
  expect(report.totals.rows).toBe(1_500);
  expect(report.sent.expected.duplicates).toBeGreaterThan(0);
}

/** What `said` returns once it does; if the command ends before, that is the failure. */
async function whileItRuns<T>({ finished, output }: RunningBin, what: string, said: () => T): Promise<T> {
  let found: T | undefined;
  const ready = waitFor(what, () => (found = said()), 300_000);
  const early = await Promise.race([ready, finished]);
  expect(early, output().err).toBeUndefined();
  return found as T;
}

/** `status` reports requests by source, here and with the admin ports alone. A source that gets only refusals is not well. */
async function expectStatusOfSources({ urls, services }: RunState): Promise<void> {
  const read = async (...args: string[]) => {
    const { code, out } = await runBin(['status', '--json', ...args], { env });
    return { code, report: JSON.parse(out) };
  };
  const sources = Object.keys(urls?.webhooks ?? {});
  expect((await runBin(['simulate', '--events', '100', '--invalid', '0', '--json'], { env })).code).toBe(0);
  const { code, report } = await read();
  expect(report).toMatchObject({
    ...{ ready: true, onlyRefused: [], spool: { records: 0 }, ingresses: { asked: 1, told: 1 } },
    sources: sources.map((name) => ({ name, recent: { refused: {} } })),
  });
  expect(code).toBe(0);
  const accepted = (name: string) =>
    report.sources.find((source: { name: string }) => source.name === name).sinceStart.accepted;
  expect([accepted('sendgrid') > 0, accepted('mailjet')]).toEqual([true, 0]);

  const headers = { 'content-type': 'application/json', authorization: `Basic ${btoa('a:b')}` };
  const wrong = { method: 'POST', headers, body: '{}' };
  expect((await fetch(urls?.webhooks.mailjet ?? '', wrong)).status).toBe(401);
  const told = await runBin(['status'], { env });
  expect([told.code, told.out]).toEqual([
    1,
    expect.stringMatching(/mailjet had 1 request .* all refused: CRED/),
  ]);

  const admins = services.flatMap(({ adminUrl }) => adminUrl ?? []);
  const elsewhere = await read('--admin', admins.join(','));
  expect([elsewhere.code, elsewhere.report]).toMatchObject([
    1,
    {
      ...{ ready: true, onlyRefused: ['mailjet'], sources: sources.map((name) => ({ name })) },
      services: services.flatMap(({ name, adminUrl }) => (adminUrl ? [{ name, readiness: 'ok' }] : [])),
      counts: { received: expect.any(Number), emitted: expect.any(Number) },
    },
  ]);
  const shown = await runBin(['status', '--urls'], { env });
  expect([shown.code, shown.out]).toEqual([0, expect.stringContaining(urls?.webhooks.mailjet ?? '?')]);
}

/** Services that the local pipeline has only if they are configured. */
const OFF: readonly string[] = ['alerts'];

/** Metrics of what is off there: a test of engagement holds these. */
const isOff = (metric: string) => metric.startsWith('email_events_crm_engagement_');

/** Every service tells the metrics that deploy/METRICS.md is made of, and no others, and promtool finds nothing wrong with them. */
async function expectMetricsAsDeclared({ services }: RunState): Promise<void> {
  const described = describedMetrics();
  const told: string[] = [];
  for (const { name, adminUrl } of services) {
    const declared = described.get(name)?.filter((metric) => !isOff(metric.name));
    if (!adminUrl || !declared) continue;
    const text = await (await fetch(`${adminUrl}/metrics`)).text();
    expect(undeclared(metricsIn(text), declared), name).toEqual([]);
    expect(await promtool(['check', 'metrics'], text), name).toEqual({ code: 0, out: '' });
    told.push(name);
  }
  const expected = [...described.keys()].filter((name) => !OFF.includes(name));
  expect(told.sort()).toEqual(expected.sort());
}

describe('the local pipeline', { timeout: 400_000 }, () => {
  test('a demo agrees at both ends; so does a second one on the data of the first, which runs until Ctrl-C', async () => {
    const args = ['start', '--demo', '--any-ports', '--events', '1500', '--json'];
    const { code, out, err } = await runBin([...args, '--seed', '1', '--exit'], { env });
    expect(code, err).toBe(0);
    expectAgreement(JSON.parse(out));
    expect((await runBin(['status'], { env })).code).toBe(4);

    const second = startBin([...args, '--seed', '2'], { env });
    const report = await whileItRuns(second, 'it has reported', () => JSON.parse(second.output().out));
    expectAgreement(report);
    const state = readRunning();
    process.kill(state.pid, 'SIGINT');
    expect((await second.finished).code).toBe(0);
    await waitFor('all is gone', () => isGone(state), 60_000);
  });

  test('up --detach, status, a service that is killed, down: nothing is left', async () => {
    const up = await runBin(['up', '--detach', '--any-ports', '--json'], { env });
    expect(up.code, up.err).toBe(0);
    const started = readRunning();
    expect((await runBin(['up'], { env })).err).toContain('RUN_ALREADY_RUNNING');

    const normalize = started.services.find(({ name }) => name === 'normalize');
    process.kill(normalize?.pid as number, 'SIGKILL');
    await waitFor('normalize is started again', () => {
      const now = readRunning().services.find(({ name }) => name === 'normalize');
      return now?.state === 'running' && now.restarts === 1 && now.pid !== normalize?.pid;
    });
    await waitFor('all is ready again', async () => (await runBin(['status'], { env })).code === 0, 60_000);
    const status = JSON.parse((await runBin(['status', '--json'], { env })).out);
    expect(status.counts['rows in ClickHouse']).toBe(3_000);
    expect(status.services.every(({ lag }: { lag: { records: number } | null }) => !lag?.records)).toBe(true);
    // Over kill -9, two demos and three starts.
    const { atRest, wrong, normalized, handedOver } = status.accounting;
    expect({ atRest, wrong }).toEqual({ atRest: true, wrong: [] });
    expect(handedOver).toBe(normalized);
    expect(normalized).toBeGreaterThan(3_000);
    await expectStatusOfSources(readRunning());
    await expectMetricsAsDeclared(readRunning());

    const state = readRunning();
    expect((await runBin(['down'], { env })).code).toBe(0);
    await waitFor('all is gone', () => isGone(state));
  });

  test('the death of the supervisor stops everything', async () => {
    const running = startBin(['start', '--any-ports'], { env });
    await whileItRuns(running, 'it is ready', () => running.output().out.includes('Where everything is'));
    const state = readRunning();
    process.kill(state.pid, 'SIGKILL');
    expect((await running.finished).code).toBe(null);
    await waitFor('all is gone', () => isGone(state), 60_000);
  });
});
