import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ROOT } from './workspaces.ts';

/** `.ci/run` itself, over programs that only note how they were called and do what the test says. */
interface Run {
  /** Answer of a command, as shell; the others succeed and say nothing. */
  readonly answers?: { readonly [command: string]: string };
  readonly ciContainers?: string;
}

const STATUS = 'node deploy/bootstrap.mjs containers engine status';
const START = 'node deploy/bootstrap.mjs containers engine start';
const STOP = 'node deploy/bootstrap.mjs containers engine stop';
const LEFTOVERS = 'node deploy/bootstrap.mjs containers status --left-since';
const LOCAL = 'npm test --silent';
const CONTAINERS = 'TEST_CONTAINERS=beside npm test --silent';

const TESTS = {
  [LOCAL]: 'echo "some tests"; echo "10 passed, 0 failed"',
  [CONTAINERS]: 'echo "some tests"; echo "15 passed, 0 failed"',
};
const NO_ENGINE = {
  [STATUS]: 'exit 4',
  [START]:
    'echo "engine starting" >&2; echo "STACK_ENGINE_UNAVAILABLE no root" >&2; echo "a log" >&2; exit 4',
};
const OWN_ENGINE = { [STATUS]: 'exit 4', [START]: 'echo "started: an engine"' };

function start({ answers = {}, ciContainers }: Run) {
  const folder = mkdtempSync(join(tmpdir(), 'ci-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const journal = join(folder, 'journal');
  const bin = join(folder, 'bin');
  cpSync(join(ROOT, '.ci'), join(folder, '.ci'), { recursive: true });
  mkdirSync(bin);
  // The longest beginning of the command that has an answer.
  const cases = Object.entries({ ...TESTS, ...answers })
    .sort(([one], [other]) => other.length - one.length)
    .map(([command, answer]) => `"${command}"*) ${answer} ;;`);
  const stub = `#!/usr/bin/env bash
    command="\${TEST_CONTAINERS:+TEST_CONTAINERS=$TEST_CONTAINERS }$(basename "$0") $*"
    echo "$command" >> '${journal}'
    case $command in ${cases.join('\n')} *) ;; esac`;
  for (const program of ['node', 'npm', 'tsc']) {
    writeFileSync(join(bin, program), stub);
    chmodSync(join(bin, program), 0o755);
  }
  const { CI_CONTAINERS: _ci, STACK: _stack, TEST_CONTAINERS: _beside, ...outer } = process.env;
  const child = spawn('bash', [join(folder, '.ci', 'run')], {
    env: {
      ...outer,
      PATH: `${bin}:${process.env.PATH}`,
      TMPDIR: folder,
      JOURNAL: journal,
      ...(ciContainers !== undefined && { CI_CONTAINERS: ciContainers }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const commands = () => (existsSync(journal) ? readFileSync(journal, 'utf8').trimEnd().split('\n') : []);
  const ended = once(child, 'close').then(([code]) => {
    const lines = output.trimEnd().split('\n');
    return { code: code as number, lines, last: lines.at(-1), output, commands: commands() };
  });
  return { child, ended, commands };
}

const run = (options: Run) => start(options).ended;
const called = (commands: readonly string[], beginning: string) =>
  commands.filter((command) => command.startsWith(beginning)).length;

test('the totals come last, and an engine that is there is left alone', async () => {
  const { code, last, lines, output, commands } = await run({});
  expect(last).toBe('15 passed, 0 failed');
  expect(code).toBe(0);
  expect(output).toContain('some tests');
  expect(lines.filter((line) => line === last)).toHaveLength(1);
  expect(called(commands, START) + called(commands, STOP)).toBe(0);
  expect(called(commands, LEFTOVERS)).toBe(1);
});

test('an engine of our own is stopped before the totals', async () => {
  const { code, last, lines, commands } = await run({
    answers: { ...OWN_ENGINE, [STOP]: 'echo "it is stopped"' },
  });
  expect({ code, last }).toEqual({ code: 0, last: '15 passed, 0 failed' });
  expect(lines).toContain('it is stopped');
  expect(commands.at(-1)).toBe(STOP);
  expect(called(commands, STOP)).toBe(1);
});

test('without an engine one line says why, and it counts as skipped', async () => {
  const { code, last, lines, commands } = await run({ answers: NO_ENGINE });
  expect({ code, last }).toEqual({ code: 0, last: '10 passed, 0 failed, 1 skipped' });
  const said = lines.filter((line) => /engine|log|STACK_/.test(line));
  expect(said).toEqual(['== containers: skipped: STACK_ENGINE_UNAVAILABLE no root']);
  expect(called(commands, CONTAINERS) + called(commands, LEFTOVERS)).toBe(0);
});

test('where an engine is required, it is a failure, with all that was said', async () => {
  const { code, last, lines } = await run({ answers: NO_ENGINE, ciContainers: 'required' });
  expect({ code, last }).toEqual({ code: 1, last: '10 passed, 1 failed' });
  expect(lines).toEqual(expect.arrayContaining(['STACK_ENGINE_UNAVAILABLE no root', 'a log']));
});

test('a fault of ours is no reason to skip', async () => {
  const answers = { ...OWN_ENGINE, [START]: 'echo "TypeError: oh" >&2; exit 1' };
  expect(await run({ answers })).toMatchObject({ code: 1, last: '10 passed, 1 failed' });
});

test('containers can be left out, in one line', async () => {
  const { code, last, lines, commands } = await run({ ciContainers: 'off' });
  expect({ code, last }).toEqual({ code: 0, last: '10 passed, 0 failed, 1 skipped' });
  expect(lines).toContain('== containers: skipped: CI_CONTAINERS=off');
  expect(called(commands, 'node deploy/bootstrap.mjs containers')).toBe(0);
});

test('a misspelt setting is a failure', async () => {
  expect(await run({ ciContainers: 'yes' })).toMatchObject({ code: 1, last: '10 passed, 1 failed' });
});

test('tests that did not end are one failure', async () => {
  const answers = { [CONTAINERS]: 'echo "killed"; exit 137' };
  expect(await run({ answers })).toMatchObject({ code: 1, last: '0 passed, 1 failed' });
});

test('tests that end well without a word of totals are a failure', async () => {
  expect(await run({ answers: { [CONTAINERS]: ':' } })).toMatchObject({
    code: 1,
    last: '0 passed, 1 failed',
  });
});

test('skipped tests are told', async () => {
  const answers = { [CONTAINERS]: 'echo "15 passed, 0 failed, 5 skipped"; exit 1' };
  expect(await run({ answers })).toMatchObject({ code: 1, last: '15 passed, 0 failed, 5 skipped' });
});

test('where there is none to be had, what is skipped is added', async () => {
  const answers = { ...NO_ENGINE, [LOCAL]: 'echo "10 passed, 0 failed, 2 skipped"; exit 1' };
  expect(await run({ answers })).toMatchObject({ code: 1, last: '10 passed, 0 failed, 3 skipped' });
});

test('what is left behind fails the run', async () => {
  expect(await run({ answers: { [LEFTOVERS]: 'exit 1' } })).toMatchObject({
    code: 1,
    last: '15 passed, 0 failed',
  });
});

test('a failed step fails the run, and the rest is run', async () => {
  const { code, last, lines } = await run({ answers: { 'tsc --noEmit': 'exit 2' } });
  expect({ code, last }).toEqual({ code: 1, last: '15 passed, 0 failed' });
  expect(lines.some((line) => /^types +\d+ s {2}FAILED \(exit code 2\)$/.test(line))).toBe(true);
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s ends the tests, then the engine', async (signal) => {
  // To stop a stack takes a while.
  const answers = {
    ...OWN_ENGINE,
    [CONTAINERS]: `trap 'sleep 0.5; echo "tests ended" >> $JOURNAL; exit 1' TERM; echo ready >> $JOURNAL; while :; do sleep 0.05; done`,
  };
  const { child, ended, commands } = start({ answers });
  await expect.poll(commands, { timeout: 15_000 }).toContain('ready');
  child.kill(signal);
  const { code, commands: all } = await ended;
  expect(code).toBe(130);
  expect(all.slice(-2)).toEqual(['tests ended', STOP]);
});
