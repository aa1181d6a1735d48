import { pipelineConfig } from '@email-events/cli/services';
import { defaultAt, variableOf } from '@email-events/core/config';
import { processes, processOf } from '@email-events/dev/run/services';
import { expect, test } from 'vitest';

type Env = { readonly [name: string]: string };
interface AdminPort {
  readonly path: string[];
  readonly port: number;
}
const { ADMIN_PORTS, healthUrl } = (await import(new URL('./healthcheck.mjs', import.meta.url).href)) as {
  ADMIN_PORTS: { readonly [script: string]: AdminPort };
  healthUrl(lines: string[][], env: Env, readConfig: (file: string) => unknown): string | undefined;
};

const none = () => {
  throw new Error('there is no file');
};
const ask = (line: string[], env: Env = {}, readConfig: (file: string) => unknown = none) =>
  healthUrl(
    [
      ['/sbin/docker-init', '--', 'email-events'],
      ['node', ...line],
    ],
    env,
    readConfig,
  );

test('it knows every role with an admin port, and its default', () => {
  const others = processes.filter(({ name }) => name !== 'receiver');
  expect(Object.keys(ADMIN_PORTS)).toEqual(others.map(({ entry }) => entry));
  for (const { path, port } of Object.values(ADMIN_PORTS))
    expect(defaultAt(pipelineConfig.schema.json, path.join('.')), path.join('.')).toBe(port);
  expect(ask([processOf('receiver').entry])).toBe('http://127.0.0.1:8090/healthz');
});

test('the port is that of the environment, else of the file, else the default', () => {
  for (const [script, { path, port }] of Object.entries(ADMIN_PORTS)) {
    const configured = path.reduceRight<unknown>((value, key) => ({ [key]: value }), 7001);
    const read = () => configured;
    expect(ask([script])).toBe(`http://127.0.0.1:${port}/healthz`);
    expect(ask([script], {}, read)).toBe('http://127.0.0.1:7001/healthz');
    expect(ask([script], { [variableOf(path)]: '7002' }, read)).toBe('http://127.0.0.1:7002/healthz');
  }
});

test('the file is the one that the role was started with', () => {
  const asked: string[] = [];
  const read = (file: string) => void asked.push(file);
  const script = processOf('events').entry;
  ask([script, '--config', '/a.yaml'], { EMAIL_EVENTS_CONFIG: '/b.yaml' }, read);
  ask([script], { EMAIL_EVENTS_CONFIG: '/b.yaml' }, read);
  ask([script], {}, read);
  expect(asked).toEqual(['/a.yaml', '/b.yaml', '/etc/email-events/pipeline.yaml']);
});

test('the address is the one that the port is bound to', () => {
  const script = processOf('events').entry;
  expect(ask([script], { EMAIL_EVENTS_ADMIN_HOST: '0.0.0.0' })).toBe('http://127.0.0.1:9082/healthz');
  expect(ask([script], {}, () => ({ adminHost: '10.0.0.5' }))).toBe('http://10.0.0.5:9082/healthz');
});

test('a receiver that serves HTTPS is asked by it', () => {
  const args = ['--host', '0.0.0.0', '--port', '7003', '--tls-cert', '/c.pem'];
  expect(ask([processOf('receiver').entry, ...args])).toBe('https://127.0.0.1:7003/healthz');
});

test('there is nothing to ask where no role runs, or its port is any', () => {
  expect(ask(['deploy/cli/bin/email-events.mjs', 'topics', 'apply'])).toBeUndefined();
  expect(ask([processOf('events').entry], { EMAIL_EVENTS_EVENTS_ADMIN_PORT: '0' })).toBeUndefined();
});
