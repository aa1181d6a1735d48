import { join } from 'node:path';
import { clickhouseAnswers } from '../probes.ts';
import { STACK_FILES } from '../versions.ts';
import type { ContainerSpec } from './spec.ts';

const DATA = '/var/lib/clickhouse';
const SETTINGS = '/etc/clickhouse-server';
const PORT = 8123;

/** Where containers of the stack's network find the HTTP interface. */
export const CLICKHOUSE_INSIDE = `http://clickhouse:${PORT}`;

export function clickhouseContainer(image: string, host: string, port: number): ContainerSpec {
  const url = `http://${host}:${port}`;
  const settings = ['config.d/email-events.xml', 'users.d/email-events.xml'];
  return {
    name: 'clickhouse',
    image,
    // Else its user `default`, which has no password, would be let in from inside the container only.
    env: { CLICKHOUSE_SKIP_USER_SETUP: '1' },
    publish: [{ container: PORT, host: port }],
    dataFolder: DATA,
    copy: settings.map((name) => ({
      source: join(STACK_FILES, 'clickhouse', name),
      target: `${SETTINGS}/${name}`,
    })),
    answers: () => clickhouseAnswers({ url }),
    startDeadlineMs: 90_000,
    stopDeadlineMs: 15_000,
  };
}
