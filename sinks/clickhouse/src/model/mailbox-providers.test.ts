import { createHash } from 'node:crypto';
import { recipientDomain } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { readMigrations } from '../migrations.ts';
import { statementsOf } from '../statements.ts';
import { MAILBOX_PROVIDERS, MAILBOX_PROVIDERS_VERSION, OTHER_PROVIDER } from './mailbox-providers.ts';

const entries = Object.entries(MAILBOX_PROVIDERS);

test('a domain is at one provider, and written as recipients’ domains are', () => {
  const domains = entries.flatMap(([, own]) => own);
  expect(domains.filter((domain, index) => domains.indexOf(domain) !== index)).toEqual([]);
  expect(
    domains.filter((domain) => recipientDomain(`a@${domain}`) !== domain || !domain.includes('.')),
  ).toEqual([]);
});

test('names are words that a query can quote, and none is that of the others', () => {
  for (const [name, domains] of entries) {
    expect(name).toMatch(/^[a-z0-9]+(_[a-z0-9]+)*$/);
    expect(domains.length, name).toBeGreaterThan(0);
  }
  expect(entries.map(([name]) => name)).not.toContain(OTHER_PROVIDER);
});

/** A changed table needs a new version here, and a migration that fills everything anew: databases keep what they were given. */
test('the table is that of its version', () => {
  const digest = createHash('sha256').update(JSON.stringify(entries)).digest('hex').slice(0, 16);
  expect([MAILBOX_PROVIDERS_VERSION, digest]).toEqual([1, '6659e586a3e39307']);
});

test('every column and view that is filled with the table was filled with this version last', () => {
  const versions = new Map<string, number>();
  for (const { sql } of readMigrations()) {
    const version = Number(/^-- mailbox providers: version (\d+)$/m.exec(sql)?.[1] ?? 0);
    for (const statement of statementsOf(sql, { url: '', username: '', database: 'email' })) {
      const [, verb, name = ''] = /^(ALTER TABLE|CREATE OR REPLACE VIEW) (\S+)/m.exec(statement) ?? [];
      if (statement.includes("'googlemail.com'")) versions.set(name, version);
      else if (verb === 'CREATE OR REPLACE VIEW') versions.delete(name);
    }
  }
  expect(versions.size).toBeGreaterThan(0);
  expect([...versions].filter(([, version]) => version !== MAILBOX_PROVIDERS_VERSION)).toEqual([]);
});
