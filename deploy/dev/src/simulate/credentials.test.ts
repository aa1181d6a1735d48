import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findAdapter } from '@email-events/esps';
import { afterEach, describe, expect, it } from 'vitest';
import { EVERY_ESP, generateCredentials, loadCredentials, secretFiles } from './credentials.ts';

const folders: string[] = [];
const folder = () => {
  const made = mkdtempSync(join(tmpdir(), 'credentials-'));
  folders.push(made);
  return join(made, 'keys');
};
afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true });
});

describe('credentials', () => {
  it('are made once and read back after that', async () => {
    const dir = folder();
    const made = await generateCredentials(dir);
    expect(await generateCredentials(dir)).toEqual(made);
    expect(loadCredentials(dir)).toEqual(made);
    expect((await generateCredentials(folder())).sender.sendgrid).not.toEqual(made.sender.sendgrid);
  });

  it('keep what an earlier version made, and get what it lacks', async () => {
    const dir = folder();
    const { sender } = await generateCredentials(dir);
    const { resend, ...earlier } = sender;
    writeFileSync(join(dir, 'sender.json'), JSON.stringify(earlier));
    rmSync(join(dir, 'resend.secret'));
    expect(() => loadCredentials(dir)).toThrow('lacks credentials');
    const completed = (await generateCredentials(dir)).sender;
    expect(completed).toMatchObject(earlier);
    expect(completed.resend).not.toBe(resend);
    expect(readFileSync(join(dir, 'resend.secret'), 'utf8')).toBe(completed.resend);
  });

  it('are made anew where they have the form that they had before ESPs had accounts', async () => {
    const dir = folder();
    const { brevo, mailgun } = (await generateCredentials(dir)).sender;
    const earlier = { mailgun: { signingKey: 'key-1' }, further: { brevo } };
    writeFileSync(join(dir, 'sender.json'), JSON.stringify(earlier));
    const { sender, sources } = await generateCredentials(dir);
    expect(sender.brevo).toBe(brevo);
    expect([mailgun, earlier.mailgun]).not.toContain(sender.mailgun);
    expect(sources.mailgun?.secrets).toEqual([`file:${join(dir, 'mailgun.secret')}`]);
    expect(readFileSync(join(dir, 'mailgun.secret'), 'utf8')).toBe(sender.mailgun);
  });

  it('are for their owner only', async () => {
    const dir = folder();
    const { sender } = await generateCredentials(dir);
    for (const name of ['sender.json', ...Object.keys(secretFiles(sender))]) {
      expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600);
    }
    expect(statSync(dir).mode & 0o777).toBe(0o700);
  });

  it('are accepted by every adapter once the references are read', async () => {
    const { sources } = await generateCredentials(folder());
    expect(Object.keys(sources).sort()).toEqual([...EVERY_ESP].sort());
    for (const { esp, secrets, options } of Object.values(sources)) {
      const read = secrets.map((reference) => readFileSync(reference.replace(/^file:/, ''), 'utf8'));
      expect(() => findAdapter(esp)?.verifier({ secrets: read, options })).not.toThrow();
    }
  });
});
