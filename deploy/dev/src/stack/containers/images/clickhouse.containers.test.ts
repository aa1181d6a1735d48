import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { clickhouseAnswers } from '../../probes.ts';
import { anyFolder, foreignFolder, type ImageRun, runImage } from '../../testing/run-image.ts';
import { connectEngine, type Engine } from '../engine.ts';
import type { ChosenImage } from './build.ts';
import { provideImage } from './choose.ts';

// The properties that the stack relies on, of the public image or of its stand-in.

const DATA = '/var/lib/clickhouse';
const STOP_SECONDS = 30;
const APP = { CLICKHOUSE_USER: 'app', CLICKHOUSE_PASSWORD: 'a <secret> & "more"' };
const OPEN = { CLICKHOUSE_SKIP_USER_SETUP: '1' };

let engine: Engine;
let chosen: ChosenImage;

beforeAll(async () => {
  engine = await connectEngine();
  chosen = await provideImage('clickhouse', { engine, env: process.env, onProgress: () => {} });
});

async function server(env: Record<string, string>, over: Partial<ImageRun> = {}) {
  const container = await runImage(engine, {
    image: chosen.reference,
    ports: { 8123: 0, 9000: 0 },
    ...over,
    env,
  });
  const url = `http://${engine.host}:${await container.port(8123)}`;
  const { CLICKHOUSE_USER: username, CLICKHOUSE_PASSWORD: password } = env;
  return {
    container,
    url,
    ready: () => container.until(() => clickhouseAnswers({ url, username, password })),
  };
}

/** Status, and what it answered. */
async function query(url: string, sql: string, user = 'default', password = '') {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  // An open connection would hold up the server's end.
  const headers = { authorization, connection: 'close' };
  const response = await fetch(url, { method: 'POST', body: sql, headers });
  return { status: response.status, text: (await response.text()).trim() };
}

test('the user and the database that variables name, and nobody else', async () => {
  const { url, ready } = await server({ ...APP, CLICKHOUSE_DB: 'shop' });
  await ready();
  const { CLICKHOUSE_USER: user, CLICKHOUSE_PASSWORD: password } = APP;
  const sql = "SELECT currentUser(), count() FROM system.databases WHERE name = 'shop'";
  expect(await query(url, sql, user, password)).toEqual({ status: 200, text: 'app\t1' });
  for (const [name, wrong] of [['app', 'a guess'] as const, ['app', ''] as const, ['default', ''] as const])
    expect([401, 403]).toContain((await query(url, 'SELECT 1', name, wrong)).status);
});

test('the native protocol answers on its own port', async () => {
  const { container, ready } = await server(OPEN);
  await ready();
  const socket = connect(await container.port(9000), engine.host);
  socket.write(hello());
  const [answer] = await once(socket, 'data');
  socket.destroy();
  // The first number says what it is: 0 is the server's hello, 2 an exception.
  expect((answer as Buffer)[0]).toBe(0);
});

test('without user and password, nobody is let in from outside', async () => {
  const { container, url } = await server({});
  await container.until(async () => (await fetch(`${url}/ping`).catch(() => null))?.ok ?? false);
  expect((await query(url, 'SELECT 1')).status).not.toBe(200);
});

test('files of config.d and users.d count', async () => {
  const folder = await anyFolder();
  const config = join(folder, 'config.xml');
  const users = join(folder, 'users.xml');
  await writeFile(config, '<clickhouse><mark_cache_size>12345678</mark_cache_size></clickhouse>');
  await writeFile(
    users,
    `<clickhouse>
       <profiles><default><max_threads>3</max_threads></default></profiles>
       <users><reader>
         <password>pass</password><networks><ip>::/0</ip></networks><profile>readonly</profile><quota>default</quota>
       </reader></users>
     </clickhouse>`,
  );
  const mounts = {
    [config]: '/etc/clickhouse-server/config.d/mine.xml',
    [users]: '/etc/clickhouse-server/users.d/mine.xml',
  };
  const { url, ready } = await server(OPEN, { mounts });
  await ready();
  const setting = "SELECT value FROM system.server_settings WHERE name = 'mark_cache_size'";
  expect(await query(url, setting)).toEqual({ status: 200, text: '12345678' });
  expect((await query(url, "SELECT getSetting('max_threads')")).text).toBe('3');
  expect((await query(url, 'SELECT currentUser()', 'reader', 'pass')).text).toBe('reader');
  expect((await query(url, 'CREATE DATABASE no', 'reader', 'pass')).status).not.toBe(200);
});

test('tables outlive the container, whose user the image need not know', async () => {
  const { folder, user } = await foreignFolder();
  const over = { user, mounts: { [folder]: DATA } };
  const first = await server(OPEN, over);
  await first.ready();
  for (const sql of [
    'CREATE DATABASE kept',
    'CREATE TABLE kept.one (n Int32) ENGINE = MergeTree ORDER BY n',
    'INSERT INTO kept.one SELECT number FROM numbers(1000)',
  ])
    expect(await query(first.url, sql)).toEqual({ status: 200, text: '' });
  expect([0, 143]).toContain(await first.container.stop(STOP_SECONDS));
  await first.container.remove();

  const second = await server(OPEN, over);
  await second.ready();
  expect((await query(second.url, 'SELECT count() FROM kept.one')).text).toBe('1000');
});

test('with its own user it takes over a folder that was mounted, and serves as user 101', async () => {
  const { folder } = await foreignFolder();
  const { container, url, ready } = await server(OPEN, { mounts: { [folder]: DATA } });
  await ready();
  expect((await query(url, 'CREATE DATABASE one')).status).toBe(200);
  const owners = await container.exec('sh', '-c', `stat -c %u ${DATA} ${DATA}/metadata`);
  expect(owners.trim().split('\n')).toEqual(['101', '101']);
  expect([0, 143]).toContain(await container.stop(STOP_SECONDS));
});

test('a password for the user default is either taken or refused with what to do', async () => {
  const env = { CLICKHOUSE_USER: 'default', CLICKHOUSE_PASSWORD: 'secret' };
  const { container, url, ready } = await server(env);
  if (chosen.standIn) {
    expect(await container.ended()).toBe(1);
    expect(await container.log()).toMatch('set CLICKHOUSE_USER to another name');
    return;
  }
  await ready();
  expect((await query(url, 'SELECT 1')).status).not.toBe(200);
});

/** The first packet of the native protocol: who the client is, an old revision, and the user `default`. */
function hello(): Buffer {
  const word = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
  // 54058 in seven bits at a time.
  const version = Buffer.from([20, 1, 0xaa, 0xa6, 0x03]);
  return Buffer.concat([Buffer.from([0]), word('test'), version, word(''), word('default'), word('')]);
}
