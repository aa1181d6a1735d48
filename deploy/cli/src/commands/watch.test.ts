import { PipelineError } from '@email-events/core/errors';
import { afterEach, expect, test, vi } from 'vitest';
import { watch } from './watch.ts';

afterEach(() => vi.restoreAllMocks());

/** What was written to standard output and standard error. */
function written() {
  const streams = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation((_text, ...rest) => {
      const done = rest.find((one) => typeof one === 'function');
      done?.();
      return true;
    }),
  );
  return () => streams.map((stream) => stream.mock.calls.map(([text]) => String(text)).join(''));
}

test('a reading that fails later is told, and the next one is shown', async () => {
  const output = written();
  const abort = new AbortController();
  const readings = [
    async () => 'first',
    async () => {
      throw new PipelineError('CLI_USAGE', 'reject', 'the server is away');
    },
    async () => {
      abort.abort();
      return 'third';
    },
  ];
  await watch(1, async () => (await readings.shift()?.()) ?? 'more', abort.signal);
  const [out, err] = output();
  expect(out).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\nfirst\n\n[^\n]+\nthird\n\n$/);
  expect(err).toContain('the server is away');
});

test('it ends in the middle of a pause', async () => {
  written();
  const abort = new AbortController();
  const read = async () => {
    setImmediate(() => abort.abort());
    return 'once';
  };
  await watch(3_600_000, read, abort.signal);
});

test('the first reading must succeed', async () => {
  const read = async () => {
    throw new PipelineError('CLI_USAGE', 'reject', 'wrong');
  };
  await expect(watch(1, read, new AbortController().signal)).rejects.toThrow('wrong');
});
