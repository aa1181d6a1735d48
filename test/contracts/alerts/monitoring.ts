import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../../harness/ports.ts';
import { type PrometheusProgram, programPath } from '../../harness/prometheus.ts';
import { waitFor } from '../../harness/wait.ts';
import { FOLDER } from './rules.ts';

/** A notification of Alertmanager, as it posts it. */
export interface Told {
  readonly alert: string;
  readonly status: 'firing' | 'resolved';
  readonly labels: { readonly [name: string]: string };
  readonly annotations: { readonly [name: string]: string };
}

/**
 * Prometheus and Alertmanager as processes, with the rules of this repository, and somebody who is told. Time is short: what is scraped and judged
 * every quarter of a minute in production is so several times a second, and no alert waits before it fires.
 */
export class Monitoring {
  readonly told: Told[] = [];
  private readonly folder: string;
  private readonly children: ChildProcess[] = [];
  private receiver: Server | undefined;
  private output = '';

  constructor(folder: string) {
    this.folder = folder;
  }

  /** `targets`: admin ports, `host:port`. */
  async start(targets: readonly string[]): Promise<void> {
    const [prometheus, alertmanager] = [await freePort(), await freePort()];
    this.write('alertmanager.yml', {
      route: {
        receiver: 'test',
        group_by: ['...'],
        group_wait: '0s',
        group_interval: '1s',
        repeat_interval: '1h',
      },
      receivers: [
        {
          name: 'test',
          webhook_configs: [{ url: await this.receive(), send_resolved: true, max_alerts: 0 }],
        },
      ],
    });
    for (const file of ['slo.rules.yml', 'alerts.rules.yml']) {
      const rules = readFileSync(join(FOLDER, file), 'utf8');
      const hasty = rules
        .replaceAll(/^ +for: .*\n/gm, '')
        .replaceAll(/^( +)interval: .*$/gm, '$1interval: 1s');
      writeFileSync(join(this.folder, file), hasty);
    }
    this.write('prometheus.yml', {
      global: { scrape_interval: '250ms', scrape_timeout: '250ms', evaluation_interval: '500ms' },
      rule_files: ['slo.rules.yml', 'alerts.rules.yml'],
      scrape_configs: [{ job_name: 'email-events', static_configs: [{ targets }] }],
      alerting: { alertmanagers: [{ static_configs: [{ targets: [`127.0.0.1:${alertmanager}`] }] }] },
    });
    await this.run('prometheus-alertmanager', alertmanager, [
      ...['--config.file=alertmanager.yml', '--storage.path=alertmanager', '--cluster.listen-address='],
    ]);
    await this.run('prometheus', prometheus, [
      ...['--config.file=prometheus.yml', '--storage.tsdb.path=prometheus', '--rules.alert.resend-delay=1s'],
    ]);
  }

  /** Waits until it was told so. */
  async until(status: Told['status'], alert: string): Promise<Told> {
    const found = () => this.told.findLast((told) => told.alert === alert && told.status === status);
    await waitFor(
      `${alert} ${status}; it was told ${JSON.stringify(this.told)}\n${this.output}`,
      found,
      60_000,
    );
    return found() as Told;
  }

  async stop(): Promise<void> {
    for (const child of this.children) child.kill('SIGKILL');
    await Promise.all(
      this.children.map((child) => child.exitCode ?? child.signalCode ?? once(child, 'close')),
    );
    this.receiver?.closeAllConnections();
    this.receiver?.close();
  }

  private write(file: string, content: object): void {
    // JSON is YAML.
    writeFileSync(join(this.folder, file), JSON.stringify(content));
  }

  private async run(program: PrometheusProgram, port: number, args: readonly string[]): Promise<void> {
    const listen = `--web.listen-address=127.0.0.1:${port}`;
    const path = await programPath(program);
    const file = program === 'prometheus-alertmanager' ? await withTemplates(path, this.folder) : path;
    const child = spawn(file, [...args, listen], { cwd: this.folder, stdio: 'pipe' });
    this.children.push(child);
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (text: Buffer) => {
        this.output = `${this.output}${text}`.slice(-5_000);
      });
    const ended = () => child.exitCode ?? child.signalCode;
    const ready = async () =>
      ended() !== null ||
      (await fetch(`http://127.0.0.1:${port}/-/ready`, { signal: AbortSignal.timeout(5_000) })).ok;
    await waitFor(`${program} is ready`, ready);
    if (ended() !== null) throw new Error(`${program} ended: ${this.output}`);
  }

  private async receive(): Promise<string> {
    this.receiver = createServer(async (request, response) => {
      let text = '';
      for await (const chunk of request) text += chunk;
      const { alerts } = JSON.parse(text) as { alerts: readonly Omit<Told, 'alert'>[] };
      for (const one of alerts) this.told.push({ ...one, alert: one.labels.alertname ?? '' });
      response.end();
    }).listen(0, '127.0.0.1');
    await once(this.receiver, 'listening');
    return `http://127.0.0.1:${(this.receiver.address() as AddressInfo).port}`;
  }
}

/** Where Debian's Alertmanager looks for its templates, which are unpacked elsewhere unless the package is installed. */
const TEMPLATES = '/usr/share/prometheus/alertmanager';
const NEARBY = 'alertmanager-templates';

/** The program, or a copy in `folder` that has its templates in there: the same number of letters, relative to where it runs. */
async function withTemplates(program: string, folder: string): Promise<string> {
  if (existsSync(join(TEMPLATES, 'default.tmpl'))) return program;
  const [root] = program.split('/usr/bin/');
  symlinkSync(join(root ?? '', TEMPLATES), join(folder, NEARBY));
  const bytes = await readFile(program);
  const path = NEARBY.padStart(TEMPLATES.length, './');
  let found = 0;
  for (let at = bytes.indexOf(TEMPLATES); at >= 0; at = bytes.indexOf(TEMPLATES, at + 1)) {
    bytes.write(path, at, 'latin1');
    found += 1;
  }
  if (found === 0)
    throw new Error(`${program} does not look for its templates in ${TEMPLATES}: install its package`);
  const copy = join(folder, 'alertmanager-nearby');
  await writeFile(copy, bytes, { mode: 0o700 });
  return copy;
}
