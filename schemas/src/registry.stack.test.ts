import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileScope, useStack, vacantStack } from '../../test/harness/stack.ts';
import { typeForSchema } from './avro-types.ts';
import { Codec, createDecoder, createEncoder } from './codec.ts';
import { schemas } from './generated/schemas.gen.ts';
import type { EmailBounced, NormalizedBatch } from './generated/types.gen.ts';
import { currentSchemas, readPublished } from './published.ts';
import { checkSchemas, type RegistrationError, registerSchemas } from './register.ts';
import { Registry } from './registry.ts';
import { askRegistry } from './registry-api.ts';
import { delivered, normalized } from './sample-event.fixture.ts';
import { subjects, topics } from './topics.ts';

const file = fileScope();
const { registry, unique } = useStack();
beforeAll(async () => void (await vacantStack(file.scope)));
afterAll(() => file.end());

const otherClient = () => {
  const { url: host, username, password = '' } = registry;
  return new SchemaRegistry({ host, ...(username === undefined ? {} : { auth: { username, password } }) });
};

const level = async (subject: string) => {
  const { body } = await askRegistry(registry, 'GET', `/config/${subject}`);
  return (body as { compatibilityLevel?: string }).compatibilityLevel;
};

const { smtp_response: _, ...event } = delivered();
const bounced: EmailBounced = {
  ...event,
  bounce_class: 'hard',
  bounce_category: 'invalid_mailbox',
  smtp_code: 550,
  enhanced_status: '5.1.1',
  diagnostic: 'no such user',
};

describe('register and use', () => {
  beforeAll(() => registerSchemas(registry));

  it('holds every subject at FULL_TRANSITIVE, and doing it again changes nothing', async () => {
    const told: string[] = [];
    const again = await registerSchemas(registry, {}, ({ subject }) => told.push(subject));
    expect(told).toEqual(subjects.map(({ name }) => name));
    for (const result of again) {
      expect(result).toMatchObject({
        action: 'unchanged',
        levelChanged: false,
        schemaId: expect.any(Number),
      });
      expect([result.subject, await level(result.subject)]).toEqual([result.subject, 'FULL_TRANSITIVE']);
    }
    expect(await checkSchemas(registry)).toEqual({ plan: again, problems: [] });
  });

  it('encodes and decodes, and any other client of the registry reads the same', async () => {
    const codec = new Codec(registry);
    const encoder = await codec.encoder<EmailBounced>(topics.events('bounced'), 'bounced');
    const bytes = encoder.encode(bounced);
    const decoder = codec.decoder<EmailBounced>('bounced');
    await decoder.load([bytes]);
    expect(decoder.decode(bytes)).toEqual(bounced);
    expect(await otherClient().decode(bytes)).toEqual(bounced);

    const batch: NormalizedBatch = { events: [normalized(0), normalized(1)], actions: [] };
    const batches = codec.decoder<NormalizedBatch>('normalized');
    const written = (await codec.encoder<NormalizedBatch>(topics.normalized, 'normalized')).encode(batch);
    await batches.load([written]);
    expect(batches.decode(written)).toEqual(batch);
  });

  it('makes an id that was never registered a fault of the value', async () => {
    const decoder = new Codec(registry).decoder('bounced');
    const bytes = Buffer.from([0, 0x7f, 0, 0, 0, 0]);
    await decoder.load([bytes]);
    expect(() => decoder.decode(bytes)).toThrow(expect.objectContaining({ code: 'VALUE_UNREADABLE' }));
  });

  it('repairs a level that was changed by hand', async () => {
    const subject = 'email.events.opened-value';
    await askRegistry(registry, 'PUT', `/config/${subject}`, { compatibility: 'NONE' });
    const options = { topics: ['email.events.opened'] };
    expect((await checkSchemas(registry, options)).plan).toMatchObject([{ subject, levelChanged: true }]);
    expect(await registerSchemas(registry, options)).toMatchObject([
      { action: 'unchanged', levelChanged: true },
    ]);
    expect(await level(subject)).toBe('FULL_TRANSITIVE');
  });
});

describe('evolve', () => {
  // The test registers subjects that no other test uses, named as a topic would name them.
  const subject = `${unique('evolve')}-value`;
  const added = { name: 'added', type: ['null', 'string'], default: null };
  const v2 = { ...schemas.bounced, fields: [...schemas.bounced.fields, added] };
  const broken = {
    ...schemas.bounced,
    fields: [...schemas.bounced.fields, { name: 'must', type: 'string' }],
  };

  it('registers versions in order; both ways round they read each other; the registry refuses a broken one', async () => {
    const client = new Registry(registry);
    const first = await client.register(subject, schemas.bounced);
    await expect(client.idOf(subject, v2)).rejects.toMatchObject({ code: 'SCHEMA_NOT_REGISTERED' });
    const second = await client.register(subject, v2);
    expect(await client.idOf(subject, v2)).toBe(second);
    expect(await level(subject)).toBe('FULL_TRANSITIVE');
    await expect(client.register(subject, broken)).rejects.toMatchObject({ code: 'SCHEMA_INCOMPATIBLE' });

    const old = createEncoder(first, typeForSchema(schemas.bounced)).encode(bounced);
    const recent = createEncoder(second, typeForSchema(v2)).encode({ ...bounced, added: 'x' });
    const newReader = createDecoder(typeForSchema(v2), (id) => client.schemaOf(id));
    const oldReader = createDecoder(typeForSchema(schemas.bounced), (id) => client.schemaOf(id));
    await newReader.load([old, recent]);
    await oldReader.load([old, recent]);
    expect(newReader.decode(old)).toEqual({ ...bounced, added: null });
    expect(newReader.decode(recent)).toEqual({ ...bounced, added: 'x' });
    expect(oldReader.decode(recent)).toEqual(bounced);
  });

  it('gives a new version to a subject, and reports all incompatible ones together without touching any', async () => {
    await registerSchemas(registry);
    const change = (schema: { fields: readonly unknown[] }, field: unknown) => ({
      ...schema,
      fields: [...schema.fields, field],
    });
    const required = { name: 'must', type: 'string' };
    const wrong = new Map(currentSchemas())
      .set('email.events.queued-value', change(schemas.queued, added))
      .set('email.events.clicked-value', change(schemas.clicked, required))
      .set('email.suppressions-value', change(schemas.suppression, required));
    const error = (await registerSchemas(registry, { current: wrong }).catch((e) => e)) as RegistrationError;
    expect(error.code).toBe('SCHEMA_INCOMPATIBLE');
    // Against each of their versions.
    expect([...new Set(error.problems.map(({ subject }) => subject))]).toEqual([
      'email.events.clicked-value',
      'email.suppressions-value',
    ]);
    const versions = readPublished().get('email.events.clicked-value') ?? [];
    expect(error.problems[0]?.details).toMatchObject(
      versions.map((_, i) => ({ code: 'FIELD_WITHOUT_DEFAULT', path: 'must', version: i + 1 })),
    );
    const { plan } = await checkSchemas(registry);
    expect(plan.map(({ action }) => action)).toEqual(plan.map(() => 'unchanged'));
  });

  it('goes on from the versions of any deployment before, as the registry writes them', async () => {
    const history = [...readPublished()].filter(([, versions]) => versions.length > 1);
    expect(history.map(([name]) => name)).toContain('email.internal.normalized-value');
    const client = new Registry(registry);
    for (const [name, [first]] of history) {
      await askRegistry(registry, 'DELETE', `/subjects/${name}`);
      await client.register(name, first);
    }
    const { plan, problems } = await checkSchemas(registry);
    expect(problems).toEqual([]);
    const upgraded = plan.filter(({ action }) => action === 'new version').map(({ subject }) => subject);
    expect(upgraded.toSorted()).toEqual(history.map(([name]) => name).toSorted());
    await registerSchemas(registry);
    expect((await checkSchemas(registry)).plan.every(({ action }) => action === 'unchanged')).toBe(true);
  });

  it('gives a new subject its whole history', async () => {
    const topic = topics.events('other');
    const name = `${topic}-value`;
    await askRegistry(registry, 'DELETE', `/subjects/${name}`);
    const later = { ...schemas.other, fields: [...schemas.other.fields, added] };
    const options = {
      topics: [topic],
      current: new Map([[name, later]]),
      published: new Map([[name, [schemas.other, later]]]),
    };
    expect(await registerSchemas(registry, options)).toMatchObject([{ action: 'created', versions: 2 }]);
    expect((await registerSchemas(registry, options))[0]).toMatchObject({ action: 'unchanged', versions: 2 });
    // An older deployment still finds its version.
    await new Codec(registry).encoder(topic, 'other');
    expect((await checkSchemas(registry, { topics: [topic] })).plan).toMatchObject([{ action: 'unchanged' }]);
  });
});
