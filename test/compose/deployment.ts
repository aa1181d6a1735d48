import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { REPOSITORY } from '@email-events/cli/home';
import { makeCertificate } from '@email-events/dev/certificates';
import { choosePorts } from '@email-events/dev/stack';
import { parse, stringify } from 'yaml';
import type { Ran } from '../chart/run.ts';
import type { ImageName } from './images.ts';

const STAND_INS = fileURLToPath(new URL('stand-ins.yaml', import.meta.url));
/** What deploy/compose names, itself included. */
const FOLDERS = ['compose', 'prometheus', 'grafana'];
const SECRETS = ['clickhouse_password', 'grafana_clickhouse_password', 'grafana_admin_password'] as const;
/** Longer than any stop of a container. */
const DOWN_MS = 180_000;

export interface DeploymentOptions {
  /** As DOCKER_HOST says it: Compose would look for an engine by itself, and in other places. */
  readonly engine: string;
  readonly tool: readonly string[];
  readonly images: ReadonlyMap<ImageName, string>;
  /** Sources beside that of the file, as in a configuration. */
  readonly sources: object;
  readonly signal: AbortSignal;
}

/** deploy/compose as somebody who follows its README has it: in a folder of its own, under a project name of its own, on ports that were free. */
export class Deployment {
  readonly folder = mkdtempSync(join(tmpdir(), 'email-events-compose-'));
  readonly project = `email-events-test-${randomBytes(4).toString('hex')}`;
  readonly sourceSecret = `postmark:${randomBytes(12).toString('hex')}`;
  readonly secrets = new Map<string, string>();
  ports: { readonly https: number; readonly prometheus: number; readonly alertmanager: number } = {
    ...{ https: 0, prometheus: 0, alertmanager: 0 },
  };
  /** PEM. */
  certificate = '';
  readonly #options: DeploymentOptions;

  constructor(options: DeploymentOptions) {
    this.#options = options;
  }

  /** What the README has the operator make: secrets, a certificate, his sources, and the user of Grafana. */
  async prepare(): Promise<void> {
    for (const name of FOLDERS)
      cpSync(join(REPOSITORY, 'deploy', name), join(this.folder, name), { recursive: true });
    for (const name of ['secrets', 'tls']) mkdirSync(join(this.folder, 'compose', name));
    for (const name of SECRETS) this.#secret(name, randomBytes(24).toString('hex'));
    this.#secret('source_secret', this.sourceSecret);
    const { cert, key } = await makeCertificate(['localhost']);
    this.certificate = cert;
    this.#write('tls/cert.pem', cert);
    this.#write('tls/key.pem', key);
    const file = join(this.folder, 'compose', 'pipeline.yaml');
    const config = parse(readFileSync(file, 'utf8'));
    writeFileSync(file, stringify({ ...config, sources: { ...config.sources, ...this.#options.sources } }));
    this.ports = await choosePorts({ https: {}, prometheus: {}, alertmanager: {} });
    // Before it is there, Docker would make a folder of that name.
    this.#write('secrets/grafana_user.xml', '<clickhouse/>');
    const password = this.secrets.get('grafana_clickhouse_password') ?? '';
    const user = await this.must(
      ...['run', '--rm', '--no-deps', '-T', '-e', `PASSWORD=${password}`, 'topics'],
      ...['clickhouse', 'access', 'grafana', '--password', 'env:PASSWORD'],
    );
    this.#write('secrets/grafana_user.xml', user);
  }

  #secret(name: string, value: string): void {
    this.secrets.set(name, value);
    this.#write(`secrets/${name}`, value);
  }

  /** The services run as another user than whoever makes it. */
  #write(name: string, text: string): void {
    const file = join(this.folder, 'compose', name);
    writeFileSync(file, text);
    chmodSync(file, 0o644);
  }

  /** One command of Compose, to its end. */
  compose(...args: readonly string[]): Promise<Ran> {
    return this.#run(args, this.#options.signal);
  }

  /** Its output. Throws with what it said if it fails. */
  async must(...args: readonly string[]): Promise<string> {
    const { code, out, err } = await this.compose(...args);
    if (code !== 0) throw new Error(`compose ${args.join(' ')}: exit code ${code}\n${out}${err}`);
    return out;
  }

  /** A command of an operator, in a container of its own. */
  async operator(...args: readonly string[]): Promise<unknown> {
    return JSON.parse(await this.must('run', '--rm', '--no-deps', '-T', 'topics', ...args, '--json'));
  }

  /** A program of Node in the network of the containers. Its output. */
  async inside(program: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    const variables = Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
    return this.must('exec', '-T', ...variables, 'normalize', 'node', '--input-type=module', '-e', program);
  }

  /** Whatever its state, and also after an interrupt. */
  async remove(): Promise<void> {
    const { code, out, err } = await this.#run(
      ['down', '--volumes', '--remove-orphans', '--timeout', '60'],
      AbortSignal.timeout(DOWN_MS),
    );
    rmSync(this.folder, { recursive: true, force: true });
    if (code !== 0) throw new Error(`compose down: exit code ${code}\n${out}${err}`);
  }

  #run(args: readonly string[], signal: AbortSignal): Promise<Ran> {
    const { tool, images, engine } = this.#options;
    const [program = '', ...first] = tool;
    const files = [join(this.folder, 'compose', 'compose.yaml'), STAND_INS].flatMap((file) => [
      '--file',
      file,
    ]);
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      DOCKER_HOST: engine,
      ...{ COMPOSE_PROJECT_NAME: this.project, COMPOSE_PROGRESS: 'plain', COMPOSE_IGNORE_ORPHANS: 'true' },
      EMAIL_EVENTS_PORT: `127.0.0.1:${this.ports.https}`,
      PROMETHEUS_PORT: String(this.ports.prometheus),
      ALERTMANAGER_PORT: String(this.ports.alertmanager),
      ...Object.fromEntries([...images].map(([name, image]) => [`STAND_IN_${name.toUpperCase()}`, image])),
    };
    return new Promise((resolve, reject) => {
      const child = spawn(program, [...first, ...files, ...args], {
        env,
        signal,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let [out, err] = ['', ''];
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        out += text;
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        err += text;
      });
      child.on('error', reject);
      child.on('close', (code) => resolve({ code: code ?? 1, out, err }));
    });
  }
}
