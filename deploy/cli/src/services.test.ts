import {
  composeConfig,
  count,
  defaultAt,
  adminPort as port,
  referenceYaml,
  secret,
  section,
} from '@email-events/core/config';
import { defineService } from '@email-events/core/service';
import { topics } from '@email-events/schemas';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { principals } from './access/principals.ts';
import { serviceCommand } from './commands/run.ts';
import {
  codeTablesOf,
  consumerGroups,
  imageRoles,
  pipelineConfig,
  services,
  servicesOf,
} from './services.ts';
import { adminAddresses } from './status/deployment.ts';

// A service is what its descriptor says: one more in the list is all that it takes to be known everywhere.

const scratch = defineService({
  name: 'sink-ledger',
  title: 'keeps the books',
  section: 'sinks.ledger',
  config: section(
    { adminPort: port(9_600), pages: count(7, 'Pages of a book.'), key: secret('Opens it.').optional() },
    'The ledger.',
  ),
  findings: ({ sinks }) =>
    sinks.ledger.pages > 99 ? [{ level: 'warn', path: 'sinks.ledger.pages', message: 'a thick book' }] : [],
  reads: ['kafka'],
  codes: { SINK_LEDGER_FULL: 'The book has no page left.' },
  entry: 'sinks/ledger/src/main.ts',
  nodeArgs: ['--max-old-space-size=64'],
  consumes: { as: 'sink', topics: [topics.suppressions] },
  writes: [topics.deadLetters],
  load: async () => ({ start: () => Promise.reject(new Error('a description only')) }),
});
const all = [...services, scratch] as const;
const config = composeConfig(all);

describe('one more descriptor is known', () => {
  test('to the configuration: defaults, checks, secrets, types', () => {
    expect(config.parse({}).sinks.ledger).toEqual({ adminPort: 9_600, pages: 7 });
    expect(() => config.parse({ sinks: { ledger: { page: 1 } } })).toThrow('sinks.ledger.page: unknown key');
    expect(config.parse({ sinks: { ledger: { key: 'hunter2' } } }).sinks.ledger.key?.reveal()).toBe(
      'hunter2',
    );
    const env = { EMAIL_EVENTS_SINKS_LEDGER_PAGES: '100', EMAIL_EVENTS_SINKS_LEDGER_ADMIN_PORT: '9083' };
    expect(config.examine(undefined, env).warnings.map(({ path, variable }) => [path, variable])).toEqual([
      ['sinks.ledger.pages', 'EMAIL_EVENTS_SINKS_LEDGER_PAGES'],
      ['sinks.ledger.adminPort', 'EMAIL_EVENTS_SINKS_LEDGER_ADMIN_PORT'],
    ]);
    expect(() => pipelineConfig.parse({ sinks: { ledger: {} } })).toThrow('sinks.ledger: unknown key');
  });

  test('to the reference file', () => {
    const yaml = referenceYaml(config.schema.json);
    expect(yaml).toContain('  # The ledger.\n  ledger:\n');
    expect(yaml).toContain('    # Pages of a book.\n    pages: 7\n    # Opens it.\n    # key: <string>\n');
    expect(defaultAt(config.schema.json, 'sinks.ledger.pages')).toBe(7);
  });

  test('to status, groups and rights', () => {
    expect(servicesOf(config.parse({}), all).at(-1)?.name).toBe('sink-ledger');
    expect(adminAddresses(config.parse({}), all).at(-1)).toEqual({
      name: 'sink-ledger',
      adminUrl: 'http://127.0.0.1:9600',
    });
    expect(consumerGroups(config.parse({}), all).at(-1)).toEqual({
      service: 'sink-ledger',
      consumer: 'sink-ledger',
      group: 'email-events-sink-ledger',
      topics: ['email.suppressions'],
    });
    const found = principals('email-events', all);
    expect(found.find(({ name }) => name === 'sink-ledger')).toMatchObject({
      reads: ['email.suppressions'],
      writes: ['email.dead-letters'],
      groups: ['email-events-sink-ledger'],
      transactionalIds: [],
    });
    expect(found.find(({ name }) => name === 'operator')?.watches).toContain('email-events-sink-ledger');
  });

  test('to the command line, the image and the page of error codes', () => {
    const said: string[] = [];
    const help = new Command().addCommand(serviceCommand(all)).commands[0];
    help?.configureOutput({ writeOut: (text) => void said.push(text) }).outputHelp();
    expect(said.join('')).toContain('sink-ledger      keeps the books');
    expect(imageRoles(all)).toContain(
      'sink-ledger sinks/ledger/src/main.ts sinks.ledger.adminPort 9600 --max-old-space-size=64\n',
    );
    expect(codeTablesOf(all)['sink-ledger']).toHaveProperty('SINK_LEDGER_FULL');
  });
});

test('no two services have a name, a section, a port or an entry file in common', () => {
  const ports = services.map(({ section: path }) =>
    defaultAt(pipelineConfig.schema.json, `${path}.adminPort`),
  );
  for (const values of [
    ports,
    services.map(({ name }) => name),
    services.map(({ section: path }) => path),
    services.map(({ entry }) => entry),
  ])
    expect(new Set(values).size).toBe(services.length);
});

test('each further CRM has a group of its own, which follows the configuration to lag and rights', () => {
  const secrets = ['whsec_x'];
  const configured = pipelineConfig.parse({
    sinks: { crm: { secrets, others: { news: { secrets }, shop: { secrets } } } },
  });
  const crms = consumerGroups(configured).filter(({ service }) => service === 'sink-crm');
  expect(crms.map(({ consumer, group }) => [consumer, group])).toEqual([
    ['sink-crm', 'email-events-sink-crm'],
    ['sink-crm-news', 'email-events-sink-crm-news'],
    ['sink-crm-shop', 'email-events-sink-crm-shop'],
  ]);
  const own = (name: string) =>
    principals('email-events', services, configured).find((principal) => principal.name === name);
  const groups = crms.map(({ group }) => group);
  expect(own('sink-crm')?.groups).toEqual(groups);
  expect(own('operator')?.watches).toEqual(expect.arrayContaining(groups));
});

test('groups are what they always were: another name has no committed position', () => {
  const groups = consumerGroups(pipelineConfig.parse({})).map(({ group }) => group);
  // Services that were added since come behind them.
  expect(groups.slice(0, 4)).toEqual([
    'email-events.normalize',
    'email-events.events',
    'email-events-sink-clickhouse',
    'email-events-sink-crm',
  ]);
});
