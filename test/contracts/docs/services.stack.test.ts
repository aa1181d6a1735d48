import { startReceiver } from '@email-events/dev/receiver';
import { chooseLocalPorts, type LocalPorts } from '@email-events/dev/run/ports';
import { replicationOn } from '@email-events/dev/stack';
import { createSigner } from '@email-events/esps/accounts';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { copyRepository, type RepositoryCopy } from '../../harness/repository-copy.ts';
import { fileScope, type SharedStack, vacantStack } from '../../harness/stack.ts';
import { blocksOf, environmentOfReader, serviceOf } from './blocks.ts';
import { Terminal } from './terminal.ts';

/** Blocks for components of one's own: what has to be done before services start, and the services one by one. */
const SLOW = 400_000;
const BLOCK_MS = 150_000;
const MAIN = 'README.md';
const WHSEC = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

describe('the documentation, on components that are there', () => {
  const file = fileScope();
  const documents = Map.groupBy(blocksOf('components'), ({ path }) => path);
  let copy: RepositoryCopy;
  let ports: LocalPorts;
  let terminal: Terminal;

  beforeAll(async () => {
    const stack = await vacantStack(file.scope);
    copy = copyRepository();
    ports = await chooseLocalPorts({ any: true });
    const dataDir = copy.folder('crm');
    // Without a CRM that answers, its sink is not ready.
    const crm = await startReceiver({ host: '127.0.0.1', port: 0, secrets: [WHSEC], dataDir });
    file.scope.onTestFinished(() => crm.stop());
    const crmUrl = `http://127.0.0.1:${crm.port}/suppressions`;
    const own = { ...(await settings(stack)), EMAIL_EVENTS_SINKS_CRM_URL: crmUrl };
    const env = { ...environmentOfReader(copy.folder('home')), ...own };
    terminal = new Terminal(copy.root, env, isReady);
  });
  afterEach(async () => {
    // The next document begins with its own.
    await terminal.stop();
  }, SLOW);
  afterAll(async () => {
    terminal.kill();
    copy.remove();
    await file.end();
  }, SLOW);

  test('there are some', () => {
    expect([...documents.keys()]).toContain(MAIN);
  });

  test.for([...documents])('%s', { timeout: SLOW }, async ([path, blocks]) => {
    for (const { body } of blocks) await terminal.run(body, BLOCK_MS);
    if (path !== MAIN) return;
    // The reader wants an ingress that takes events.
    const answer = await fetch(`http://127.0.0.1:${ports.ingress}/webhooks/email-events/postmark`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Basic ${btoa('user:password')}` },
      body: JSON.stringify({ RecordType: 'Delivery', MessageID: '1', Recipient: 'ann@example.com' }),
    });
    expect(answer.status).toBe(200);
  });

  /** The settings that a reader puts into the environment: where their components are, and secrets. */
  async function settings(stack: SharedStack): Promise<{ [name: string]: string }> {
    const sendgrid = await createSigner('sendgrid');
    const clickhouse = { ...stack.clickhouse, database: stack.uniqueDatabase('docs') };
    return {
      EMAIL_EVENTS_KAFKA: JSON.stringify({ ...stack.kafka, groupPrefix: stack.unique('docs') }),
      EMAIL_EVENTS_REGISTRY: JSON.stringify(stack.registry),
      EMAIL_EVENTS_TOPICS: JSON.stringify(replicationOn(stack.kafka)),
      EMAIL_EVENTS_SINKS_CLICKHOUSE: JSON.stringify({ ...clickhouse, adminPort: ports.sinkClickhouseAdmin }),
      EMAIL_EVENTS_SINKS_CRM_ADMIN_PORT: String(ports.sinkCrmAdmin),
      EMAIL_EVENTS_INGRESS_PORT: String(ports.ingress),
      EMAIL_EVENTS_INGRESS_ADMIN_PORT: String(ports.ingressAdmin),
      EMAIL_EVENTS_NORMALIZE_ADMIN_PORT: String(ports.normalizeAdmin),
      EMAIL_EVENTS_EVENTS_ADMIN_PORT: String(ports.eventsAdmin),
      SENDGRID_PUBLIC_KEY: sendgrid.settings.secrets[0] ?? '',
      MAILGUN_SIGNING_KEY: `key-${'0'.repeat(32)}`,
      POSTMARK_BASIC_AUTH: 'user:password',
      STANDARD_WEBHOOKS_SECRET: WHSEC,
      CRM_SIGNING_SECRET: WHSEC,
    };
  }

  async function isReady(words: readonly string[]): Promise<boolean> {
    const port = {
      ingress: ports.ingressAdmin,
      normalize: ports.normalizeAdmin,
      events: ports.eventsAdmin,
      'sink-clickhouse': ports.sinkClickhouseAdmin,
      'sink-crm': ports.sinkCrmAdmin,
    }[serviceOf(words)];
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
    return answer?.ok === true;
  }
});
