import { PipelineError } from '@email-events/core/errors';
import { expect, onTestFinished, test, vi } from 'vitest';
import { runProgram } from './run-program.ts';

test.each([
  [[], /^CLI_UNAVAILABLE a file is missing/],
  [['--json'], /^\{.*"code": ?"CLI_UNAVAILABLE"/s],
])('a program that cannot be loaded with %j is reported like a command that fails', async (args, report) => {
  const { argv, exitCode } = process;
  const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  process.argv = ['node', 'email-events', ...args];
  onTestFinished(() => {
    Object.assign(process, { argv, exitCode });
    written.mockRestore();
  });
  await runProgram(Promise.reject(new PipelineError('CLI_UNAVAILABLE', 'fatal', 'a file is missing')));
  expect(process.exitCode).toBe(1);
  expect(written.mock.calls.map(([text]) => text).join('')).toMatch(report);
});
