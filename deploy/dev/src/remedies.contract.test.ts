import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathsOf } from '@email-events/cli/home';
import { lockRun, type RunState, writeState } from '@email-events/cli/state-file';
import { type Finished, runBin } from '@email-events/cli/testing';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { downAction } from './commands/down.ts';

const folder = mkdtempSync(join(tmpdir(), 'remedies-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const NOWHERE = 'http://127.0.0.1:1';

let homes = 0;
const emptyHome = () => join(folder, `home-${homes++}`);

/** The command line on a temporary home, where nothing that it needs of other programs is there. */
function run(home: string, args: readonly string[]): Promise<Finished> {
  const env = {
    EMAIL_EVENTS_HOME: home,
    EMAIL_EVENTS_KAFKA_BROKERS: '127.0.0.1:1',
    EMAIL_EVENTS_REGISTRY_URL: NOWHERE,
  };
  return runBin(args, { env });
}

/** As a pipeline in this state holds its home, until the test is over. */
function running(phase: RunState['phase']): { readonly home: string; release(): void } {
  const home = emptyHome();
  const paths = pathsOf(home);
  const lock = lockRun(paths);
  writeState(paths, {
    ...{ pid: process.pid, phase, startedAt: '2026-01-02T03:04:05.678Z', configFile: paths.configFile },
    ...{ certificate: null, urls: null, services: [], components: [] },
  });
  return { home, release: () => lock?.release() };
}

const remedyIn = ({ err }: Finished) => /^→ (.*)$/m.exec(err)?.[1] ?? '';
/** The commands that a remedy names, as they are to be typed. */
const commandsIn = (remedy: string) =>
  [...remedy.matchAll(/`npx email-events ([^`]+)`/g)].map(([, command = '']) => command.split(' '));

describe('as things stand', { timeout: 60_000 }, () => {
  test('nothing runs: what is asked for is a start, and the start is not refused', async () => {
    const home = emptyHome();
    for (const args of [['status'], ['down'], ['simulate'], ['tail', 'email.raw']]) {
      const remedy = remedyIn(await run(home, args));
      expect([args, commandsIn(remedy)]).toEqual([args, [['up']]]);
    }
    // Nothing holds the home, which is all that could refuse it.
    const lock = lockRun(pathsOf(home));
    expect(lock).not.toBeNull();
    lock?.release();
  });

  test.each(['starting', 'running'] as const)(
    'a pipeline that is %s: no start is asked for, which it would refuse',
    async (phase) => {
      const { home, release } = running(phase);
      const refused = await run(home, ['up', '--detach']);
      expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('RUN_ALREADY_RUNNING')]);
      expect(commandsIn(remedyIn(refused))).toEqual([['status'], ['down']]);
      const unreachable = await run(home, ['tail', 'email.raw']);
      expect(unreachable.err).toContain('KAFKA_UNREACHABLE');
      expect(commandsIn(remedyIn(unreachable))[0]).toEqual(['status']);
      // It answers, before there is a configuration.
      const status = await run(home, ['status']);
      expect([status.code, status.err]).toEqual([phase === 'starting' ? 1 : 0, '']);
      release();
    },
  );

  test('a pipeline that stops is waited for, and gets no second signal, which would end it at once', async () => {
    const { home, release } = running('stopping');
    expect(remedyIn(await run(home, ['up', '--detach']))).toContain('try again in a moment');
    const signals = vi.spyOn(process, 'kill').mockReturnValue(true);
    vi.stubEnv('EMAIL_EVENTS_HOME', home);
    onTestFinished(() => {
      signals.mockRestore();
      vi.unstubAllEnvs();
    });
    // It has read the state when it comes back for the first time.
    const down = downAction({ json: true, verbose: false }, []);
    release();
    expect(await down).toBe(0);
    expect(signals).not.toHaveBeenCalled();
  });

  test('simulate without keys is told what makes them', async () => {
    const finished = await run(emptyHome(), ['simulate', '--url', NOWHERE]);
    expect([finished.code, finished.err]).toEqual([1, expect.stringContaining('CLI_UNAVAILABLE')]);
    expect(commandsIn(remedyIn(finished))).toEqual([['up']]);
  });

  test('the dry run that `dlq replay` asks for needs no filter either', async () => {
    const home = emptyHome();
    const refused = await run(home, ['dlq', 'replay']);
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining('--dry-run')]);
    // As far as Kafka, which is away.
    expect((await run(home, ['dlq', 'replay', '--dry-run'])).err).toContain('KAFKA_UNREACHABLE');
  });

  test('with a configuration that was named, a remedy is about that one', async () => {
    const file = join(folder, 'my pipeline.yaml');
    writeFileSync(file, '{}');
    const { err } = await run(emptyHome(), ['topics', 'plan', '--config', file]);
    expect(err).toContain(`→ is kafka.brokers right in ${file}, and does it run?`);
  });
});
