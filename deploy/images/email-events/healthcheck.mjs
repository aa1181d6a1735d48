// What the image's HEALTHCHECK runs: asks the role of this container for /healthz. Exits 0 if it answers, 1 if not.
import { readdirSync, readFileSync } from 'node:fs';
import { request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';

/** Entry file of each role that has an admin port, where that is configured, and its default. */
export const ADMIN_PORTS = Object.fromEntries(
  readFileSync(new URL('roles', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' '))
    .map(([, entry, path, port]) => [entry, { path: path.split('.'), port: Number(port) }]),
);
const RECEIVER = 'deploy/dev/src/receiver/main.ts';
const CONFIG = '/etc/email-events/pipeline.yaml';
const ATTEMPT_MS = 4_000;

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();

async function main() {
  const url = healthUrl(commandLines('/proc'), process.env);
  if (!url || (await answers(url))) return;
  process.stderr.write(`${url} does not answer\n`);
  process.exitCode = 1;
}

/**
 * Where the role among these command lines says that it is well; undefined where there is nothing to ask: a command has
 * no port. By command line, as a check sees nothing else of what the container was started with.
 */
export function healthUrl(lines, env, readConfig = (file) => parse(readFileSync(file, 'utf8'))) {
  for (const line of lines) {
    const at = line.findIndex((part) => part === RECEIVER || Object.hasOwn(ADMIN_PORTS, part));
    if (at < 0) continue;
    const args = line.slice(at + 1);
    return line[at] === RECEIVER ? receiverUrl(args) : adminUrl(ADMIN_PORTS[line[at]], args, env, readConfig);
  }
  return undefined;
}

function receiverUrl(args) {
  const { port = '8090', 'tls-cert': tls } = optionsOf(args);
  return `${tls ? 'https' : 'http'}://127.0.0.1:${port}/healthz`;
}

function adminUrl({ path, port }, args, env, readConfig) {
  const file = optionsOf(args).config ?? env.EMAIL_EVENTS_CONFIG ?? CONFIG;
  const config = readIfThere(file, readConfig);
  const configured = env[variableOf(path)] ?? path.reduce((tree, key) => tree?.[key], config) ?? port;
  // Any free port, which nobody else can know.
  if (Number(configured) === 0) return undefined;
  const host = env.EMAIL_EVENTS_ADMIN_HOST ?? config?.adminHost ?? '127.0.0.1';
  return `http://${host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host}:${configured}/healthz`;
}

function optionsOf(args) {
  const options = Object.fromEntries(
    ['config', 'port', 'tls-cert'].map((name) => [name, { type: 'string' }]),
  );
  return parseArgs({ args, options, strict: false }).values;
}

function variableOf(path) {
  const words = path.map((part) => part.replace(/([a-z])([A-Z])/g, '$1_$2'));
  return `EMAIL_EVENTS_${words.join('_')}`.toUpperCase();
}

function readIfThere(file, readConfig) {
  try {
    return readConfig(file);
  } catch {
    return undefined;
  }
}

/** Of every process that this user may see. */
function commandLines(proc) {
  return readdirSync(proc)
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const line = readIfThere(`${proc}/${pid}/cmdline`, (file) => readFileSync(file, 'utf8'));
      return line ? [line.split('\0').slice(0, -1)] : [];
    });
}

/** The certificate is made out to a name; this asks the container itself. */
function answers(url) {
  return new Promise((resolve) => {
    const request = url.startsWith('https:') ? overHttps : overHttp;
    const asked = request(url, { rejectUnauthorized: false, timeout: ATTEMPT_MS }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode === 200));
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(false));
    asked.end();
  });
}
