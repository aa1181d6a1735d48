// Writes a fixture out of an unsigned request: `node test/contracts/new-esp-fixture.ts ESP CASE DESCRIPTION < body`.
// The expectations are what the code says now: read them against the vendor's documentation before committing.
import { isUtf8 } from 'node:buffer';
import { mkdirSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { createSigner, type Signer, type SignInput } from '@email-events/esps/accounts';
import { actual, FIXTURES, type Fixture, saveFixture } from './esp-fixtures.ts';

export function writeFixture(signer: Signer, name: string, description: string, input: SignInput): void {
  const request = signer.sign(input);
  const { secrets, options } = signer.settings;
  const certificates = signer.resources.size > 0 ? Object.fromEntries(signer.resources) : undefined;
  const fixture: Fixture = {
    description,
    request: {
      method: request.method,
      url: request.url,
      headers: request.headers as { [header: string]: string },
      ...(isUtf8(request.body)
        ? { body: request.body.toString() }
        : { body: request.body.toString('base64'), bodyEncoding: 'base64' as const }),
      receivedAt: new Date(request.receivedAt).toISOString(),
    },
    credentials: { secrets: [...secrets], options: certificates ? { ...options, certificates } : options },
    expected: { verified: false, reason: null, handshake: false, events: [], deadLetters: [] },
    unmapped: [],
  };
  const path = `${FIXTURES}${signer.esp}/${name}.json`;
  mkdirSync(`${FIXTURES}${signer.esp}`, { recursive: true });
  saveFixture(path, { ...fixture, ...actual({ esp: signer.esp, name, path, fixture }) });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [esp, name, description] = process.argv.slice(2);
  if (!esp || !name || !description) throw new Error('usage: new-esp-fixture.ts ESP CASE DESCRIPTION < body');
  writeFixture(await createSigner(esp), name, description, {
    body: await text(process.stdin),
    at: Date.now(),
    url: `/webhooks/email-events/${esp}`,
  });
}
