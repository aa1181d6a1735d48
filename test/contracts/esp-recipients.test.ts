import { adapters, normalizeRequest } from '@email-events/esps';
import { accountOf, createSigner } from '@email-events/esps/accounts';
import { describe, expect, it } from 'vitest';
import { adapterOf } from './esp-fixtures.ts';

const AT = Date.parse('2026-11-02T09:15:30.500Z');
const CONTROLS = ['\u0000', '\u0007', '\n', '\r', '\t', '\u001b', '\u007f', '\u0085', '\u009b'];
const SPACE = [' ', '\n', '\r\n', '\t'];

/** The event of the ESP's account with this text in place of its recipient, as JSON or, of Elastic Email, a form. */
function bodyTo(esp: string, recipient: string): string {
  const { body } = accountOf(esp).contract;
  if (!body.startsWith('to=')) return body.replace('a@example.com', JSON.stringify(recipient).slice(1, -1));
  return body.replace('a%40example.com', encodeURIComponent(recipient));
}

async function resultsOf(esp: string, body: string) {
  const signer = await createSigner(esp);
  return normalizeRequest(adapterOf(esp), signer.sign({ body, at: AT })).results;
}

describe.each(adapters.map(({ name }) => name))('a recipient of %s', (esp) => {
  it.each(CONTROLS)('with the control character %j in it is refused', async (control) => {
    const results = await resultsOf(esp, bodyTo(esp, `a${control}b@example.com`));
    expect(results).toMatchObject([{ index: 0, code: 'NORMALIZE_RECIPIENT_INVALID' }]);
  });

  it('may have space around it', async () => {
    for (const space of SPACE) {
      const results = await resultsOf(esp, bodyTo(esp, `${space}a@example.com${space}`));
      expect(results).toMatchObject([{ events: [{ recipient: 'a@example.com' }] }]);
    }
  });
});

it('one of several recipients of an item is refused alone', async () => {
  const body = bodyTo('ses', 'a\u001b[2Jb@example.com');
  const two = body.replace('"destination":[', '"destination":["good@example.com",');
  expect(await resultsOf('ses', two)).toMatchObject([
    { index: 0, events: [{ recipient: 'good@example.com' }] },
    { index: 0, code: 'NORMALIZE_RECIPIENT_INVALID' },
  ]);
});
