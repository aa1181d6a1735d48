import { expect, test } from 'vitest';
import { recipientAction } from './recipient.ts';

type Options = Parameters<typeof recipientAction>[0];
const run = (address: string[], more: Partial<Options> = {}) =>
  recipientAction({ limit: 10, json: false, ...more } as Options, address);

test.each(['', ' ', '<>', ' < > '])('--message %j names no message, and is refused', async (message) => {
  const refused = { code: 'CLI_USAGE', message: '--message: an id is needed' };
  await expect(run([], { message })).rejects.toMatchObject(refused);
  await expect(run(['ann@example.com'], { message })).rejects.toMatchObject(refused);
});

test('neither does an empty address name anybody', async () => {
  await expect(run([])).rejects.toMatchObject({ code: 'CLI_USAGE' });
  await expect(run([' '])).rejects.toMatchObject({ code: 'CLI_USAGE', message: 'the address is empty' });
});
