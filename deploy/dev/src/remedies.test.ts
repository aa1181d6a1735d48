import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Command } from '@email-events/cli/command';
import { pathsOf } from '@email-events/cli/home';
import { createProgram as createOperatorProgram } from '@email-events/cli/program';
import { CODES_WITH_REMEDY, remedyFor, type Situation } from '@email-events/cli/remedies';
import { describeFailure, failureOf } from '@email-events/cli/run-program';
import { lockRun } from '@email-events/cli/state-file';
import { PipelineError } from '@email-events/core';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createProgram } from './program.ts';

const HERE: Situation = {
  ...{ self: 'npx email-events', checkout: true, home: '/home', phase: null },
  ...{ config: undefined, configArgument: '' },
};
const OTHER: Situation = { ...HERE, config: '/x.yaml', configArgument: ' --config /x.yaml' };
const IMAGE: Situation = { ...HERE, self: 'email-events', checkout: false };
const SITUATIONS: readonly Situation[] = [
  ...[HERE, OTHER, IMAGE, { ...IMAGE, config: '/x.yaml' }],
  ...(['starting', 'running', 'stopping'] as const).map((phase) => ({ ...HERE, phase })),
];

const CHECKOUT = await createProgram();
const OPERATORS = await createOperatorProgram();

/** The command that the words name, and which of its options; undefined: there is none. */
function found(words: readonly string[], program: Command): Command | undefined {
  let command = program;
  for (const word of words) {
    if (/^[A-Z]+$/.test(word) || word.startsWith('/')) continue;
    if (word.startsWith('--')) {
      const known = [...command.options, ...program.options].some(({ long }) => long === word);
      if (!known) return undefined;
      continue;
    }
    const next = command.commands.find((child) => child.name() === word);
    // The value of an option.
    if (next === undefined && command.commands.length === 0) continue;
    if (next === undefined) return undefined;
    command = next;
  }
  return command;
}

describe.each(CODES_WITH_REMEDY)('%s', (code) => {
  test('each command that is named is one, with these options', () => {
    for (const situation of SITUATIONS) {
      const remedy = remedyFor(code, situation) ?? '';
      const program = situation.checkout ? CHECKOUT : OPERATORS;
      for (const [, text = ''] of remedy.matchAll(/`(?:npx )?email-events ([^`]+)`/g))
        expect([text, found(text.split(' '), program)?.name()]).toEqual([text, expect.any(String)]);
    }
  });

  test('in the image no command is named that it does not have', () => {
    expect(remedyFor(code, IMAGE)).not.toMatch(/npx|\b(up|down|start)`/);
  });
});

// That nothing runs is not said of what runs.
test.each(CODES_WITH_REMEDY.filter((code) => code !== 'RUN_NOT_RUNNING'))(
  'nothing that runs is to be started: %s',
  (code) => {
    for (const phase of ['starting', 'running'] as const)
      expect(remedyFor(code, { ...HERE, phase })).not.toMatch(/^start|or `[^`]* up`/);
  },
);

test('a command that is named acts on the configuration that was named', () => {
  expect(remedyFor('KAFKA_TOPIC_MISSING', HERE)).toContain('`npx email-events topics apply`');
  expect(remedyFor('KAFKA_TOPIC_MISSING', OTHER)).toContain('topics apply --config /x.yaml`');
  expect(remedyFor('SCHEMA_NOT_REGISTERED', OTHER)).toContain('schemas register --config /x.yaml`');
  expect(remedyFor('UNKNOWN_TABLE', OTHER)).toContain('clickhouse migrate --config /x.yaml`');
  expect(remedyFor('CLI_SINK_BEHIND', OTHER)).not.toContain('status');
});

test('the reference that is named is there, from whatever folder it is looked for', () => {
  expect(existsSync(remedyFor('CONFIG_INVALID', HERE)?.split(' ')[0] ?? '')).toBe(true);
});

test('data is removed only of what does not run', () => {
  expect(remedyFor('SINK_CLICKHOUSE_MIGRATION_EDITED', HERE)).toMatch(/, or remove all data .*\/home\/data$/);
  const runs = remedyFor('SINK_CLICKHOUSE_MIGRATION_EDITED', { ...HERE, phase: 'running' });
  expect(runs).toMatch(/`npx email-events down` and remove all data/);
});

test('a home that cannot be read does not stand before the error', () => {
  const home = mkdtempSync(join(tmpdir(), 'remedies-'));
  const paths = pathsOf(home);
  mkdirSync(dirname(paths.stateFile), { recursive: true });
  writeFileSync(paths.stateFile, 'no JSON');
  const lock = lockRun(paths);
  vi.stubEnv('EMAIL_EVENTS_HOME', home);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    lock?.release();
    rmSync(home, { recursive: true });
  });
  const error = new PipelineError('KAFKA_UNREACHABLE', 'retry', 'no broker answers');
  expect(describeFailure(error, { json: false, verbose: false })).toContain('no broker answers');
});

test('an error that knows better than its code is asked first; one of ClickHouse has a name', () => {
  const error = new PipelineError('KAFKA_TOPIC_CONFLICT', 'fatal', 'x', { remedy: 'do this' });
  expect(failureOf(error, HERE).hint).toBe('do this');
  const unknown = Object.assign(new Error('x'), {
    name: 'ClickHouseError',
    code: '60',
    type: 'UNKNOWN_TABLE',
  });
  expect(failureOf(unknown, HERE)).toMatchObject({
    code: 'UNKNOWN_TABLE',
    hint: expect.stringContaining('migrate'),
  });
});
