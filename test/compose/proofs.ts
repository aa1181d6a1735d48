import type { Engine } from '@email-events/dev/stack';
import { waitFor } from '../harness/wait.ts';
import type { Deployment } from './deployment.ts';
import type { Senders } from './senders.ts';

/** What is looked at in a deployment that runs. Throws with what is wrong. */
export interface Proof {
  readonly what: string;
  prove(of: Proven): Promise<void>;
}

export interface Proven {
  readonly deployment: Deployment;
  readonly senders: Senders;
  readonly engine: Engine;
}

const SERVICES = { ingress: 9080, normalize: 9081, events: 9082, 'sink-clickhouse': 9083 };
/** Prometheus asks four times a minute, rules are judged twice a minute, and the alert waits for one minute. */
const ALERT_MS = 240_000;
const ARRIVES_MS = 60_000;
const ALERT = 'EmailEventsKafkaAway';

export const PROOFS: readonly Proof[] = [
  {
    what: 'the configuration is sound for a service that runs',
    async prove({ deployment }) {
      await deployment.must('exec', '-T', 'normalize', 'email-events', 'config', 'check');
    },
  },
  {
    what: 'HTTPS takes what is signed and what has the credentials, and refuses what has not',
    async prove({ senders }) {
      equal('signed', await senders.deliver(['ann@example.com']), 200);
      equal('with credentials', await senders.bounce('bob@example.com'), 200);
      equal('signed for other bytes', await senders.deliver(['eve@example.com'], true), 401);
      equal('with other credentials', await senders.bounce('eve@example.com', 'postmark:wrong'), 401);
    },
  },
  {
    what: 'it becomes rows of ClickHouse, and what was refused does not',
    async prove({ deployment }) {
      for (const address of ['ann@example.com', 'bob@example.com'])
        await waitFor(
          `rows of ${address}`,
          async () => (await messagesOf(deployment, address)) === 1,
          ARRIVES_MS,
        );
      equal('messages to eve', await messagesOf(deployment, 'eve@example.com'), 0);
      equal('dead letters', (await deployment.operator('dlq', 'list')) as object, [], 'letters');
    },
  },
  {
    what: 'status of all services is ready, by their admin ports',
    async prove({ deployment }) {
      const admin = Object.entries(SERVICES).map(([name, port]) => `http://${name}:${port}`);
      await waitFor(
        'everything is ready',
        async () => {
          await deployment.operator('status', ...admin.flatMap((url) => ['--admin', url]));
          return true;
        },
        ARRIVES_MS,
      );
    },
  },
  {
    what: 'Prometheus asks every service, and knows what came in',
    async prove({ deployment }) {
      const up = async () => (await ask(deployment, 'up == 1')).length;
      await waitFor('all are up', async () => (await up()) === Object.keys(SERVICES).length, ARRIVES_MS);
      const query = 'sum by (source) (email_events_ingress_requests_total{code="OK",source!="-"})';
      await waitFor(
        'both sources are told',
        async () => (await ask(deployment, query)).length === 2,
        ARRIVES_MS,
      );
    },
  },
  {
    what: 'the user of Grafana may read the events, and change nothing',
    async prove({ deployment }) {
      equal('events', (await grafana(deployment, 'SELECT count() FROM email_events')).trim(), '2');
      const refused = await grafana(deployment, 'TRUNCATE TABLE email_events');
      if (!/Code: \d+/.test(refused)) throw new Error(`it was not refused: ${refused}`);
    },
  },
  {
    what: 'while Kafka is away requests are taken, Alertmanager hears of it, and all of it arrives afterwards',
    async prove({ deployment, senders }) {
      await deployment.must('stop', 'kafka');
      const addresses = Array.from({ length: 20 }, (_, i) => `away-${i}@example.com`);
      for (const address of addresses)
        await waitFor(`${address} is taken`, async () => (await senders.bounce(address)) === 200, ARRIVES_MS);
      await waitFor(`${ALERT} fires`, async () => (await alerts(deployment)).includes(ALERT), ALERT_MS);
      await deployment.must('start', 'kafka');
      for (const address of addresses)
        await waitFor(
          `rows of ${address}`,
          async () => (await countOf(deployment, address)) === 1,
          2 * ARRIVES_MS,
        );
      await waitFor(`${ALERT} is over`, async () => !(await alerts(deployment)).includes(ALERT), ALERT_MS);
    },
  },
  {
    what: 'no secret is in a log, and nothing was started again',
    async prove({ deployment, engine }) {
      const logs = await deployment.must('logs', '--no-color');
      for (const [name, secret] of deployment.secrets)
        if (logs.includes(secret)) throw new Error(`the logs have ${name}`);
      const label = `com.docker.compose.project=${deployment.project}`;
      for (const { Id } of await engine.docker.listContainers({ filters: { label: [label] } })) {
        const { Name, RestartCount } = await engine.docker.getContainer(Id).inspect();
        equal(`restarts of ${Name}`, RestartCount, 0);
      }
    },
  },
];

function equal(what: string, found: unknown, wanted: unknown, part?: string): void {
  const value = part && !Array.isArray(found) ? (found as { [name: string]: unknown })[part] : found;
  if (JSON.stringify(value) !== JSON.stringify(wanted))
    throw new Error(`${what}: ${JSON.stringify(found)}, and not ${JSON.stringify(wanted)}`);
}

async function messagesOf(deployment: Deployment, address: string): Promise<number> {
  const { stories } = (await deployment.operator('recipient', address)) as {
    stories: readonly { readonly messages: readonly object[] }[];
  };
  return stories.reduce((sum, { messages }) => sum + messages.length, 0);
}

const countOf = async (deployment: Deployment, address: string) =>
  Number(await grafana(deployment, `SELECT count() FROM email_events WHERE recipient = '${address}'`));

/** What ClickHouse answers the user of Grafana, also if it refuses. */
async function grafana(deployment: Deployment, sql: string): Promise<string> {
  const program = `
    const { USER, PASSWORD, SQL } = process.env;
    const headers = { 'X-ClickHouse-User': USER, 'X-ClickHouse-Key': PASSWORD, 'X-ClickHouse-Database': 'email' };
    const answer = await fetch('http://clickhouse:8123/', { method: 'POST', body: SQL, headers });
    process.stdout.write(await answer.text());`;
  const PASSWORD = deployment.secrets.get('grafana_clickhouse_password') ?? '';
  return deployment.inside(program, { USER: 'grafana', PASSWORD, SQL: sql });
}

async function ask({ ports }: Deployment, query: string): Promise<readonly object[]> {
  const url = `http://127.0.0.1:${ports.prometheus}/api/v1/query?${new URLSearchParams({ query })}`;
  const { data } = (await (await fetch(url)).json()) as { data: { result: readonly object[] } };
  return data.result;
}

/** Names of the alerts that Alertmanager has. */
async function alerts({ ports }: Deployment): Promise<readonly (string | undefined)[]> {
  const answer = await fetch(`http://127.0.0.1:${ports.alertmanager}/api/v2/alerts`);
  const found = (await answer.json()) as readonly { readonly labels: { readonly alertname?: string } }[];
  return found.map(({ labels }) => labels.alertname);
}
