import { PipelineError } from '@email-events/core/errors';
import type { SourceReport } from '@email-events/ingress';
import { Command } from 'commander';
import pc from 'picocolors';
import { type Action, examples, loadPipelineConfig, onRun } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { homeFolder, pathsOf } from '../home.ts';
import { collectNames } from '../option-values.ts';
import { counted, formatCount, formatTime, print, printJson, renderTable } from '../output.ts';
import { situationOf } from '../remedies.ts';
import { type PipelineUrls, type RunState, readState } from '../state-file.ts';
import { OTHERS } from '../status/accounting.ts';
import { type Address, adminAddresses, readDeployment } from '../status/deployment.ts';
import { isWell, type Readiness, type Report, type ServiceReport } from '../status/instance.ts';
import { type Intake, refusedOf, topReason } from '../status/intake.ts';
import { type LocalReport, readLocal } from '../status/local.ts';
import { visible } from '../terminal.ts';

export function statusCommand(): Command {
  const command = new Command('status')
    .description(
      'Show what runs, what came in by source, what waits: of the local pipeline, of the services of a configuration, or of any by their admin ports',
    )
    .option(
      '--admin <url>',
      'of the services behind these admin ports, wherever they run; several instances of the ingress are summed: with commas, or repeated',
      collectNames,
    )
    .option('--urls', 'only the webhook of each source of the local pipeline', false);
  onRun<StatusOptions>(command, statusAction);
  command.addHelpText(
    'after',
    `
Exits 0 if all takes work, also if some of it is degraded; 1 if something does not, if of all requests of a source in the
last minutes none was accepted, if what one service counted did not arrive at the next, or if a certificate has ended or a disk is full; 4 in a checkout, if no configuration is named and nothing runs here.`,
  );
  return examples(
    command,
    'status',
    'status --urls',
    'status --config deploy/config/pipeline.yaml',
    'status --admin http://10.0.0.5:9080,http://10.0.0.6:9080 --admin http://10.0.0.7:9081',
  );
}

export interface StatusOptions {
  readonly admin?: readonly string[];
  readonly urls: boolean;
}

/** Of the services behind the addresses that are named, else of the pipeline of this machine, else of what is configured. */
export const statusAction: Action<StatusOptions> = async (options) => {
  const { admin, urls, json } = options;
  if (admin && urls)
    throw usage('--urls is about the local pipeline: an admin port does not know how it is reached');
  if (admin)
    return showDeployment(
      admin.map((text) => ({ adminUrl: adminUrl(text) })),
      json,
    );
  const { config, checkout } = situationOf(options);
  // A named configuration is that of another deployment, and no pipeline is started inside an image.
  if (!urls && (config !== undefined || !checkout))
    return showDeployment(adminAddresses(await loadPipelineConfig(options)), json);
  const paths = pathsOf(homeFolder());
  const state = readState(paths);
  if (!state) throw new PipelineError('RUN_NOT_RUNNING', 'fatal', `no pipeline runs on ${paths.home}`);
  if (urls) return showUrls(state, json);
  const report = await readLocal(state);
  if (json) printJson(report);
  else print(await renderLocal(report));
  return isWell(report) ? EXIT.ok : EXIT.failed;
};

async function showDeployment(addresses: readonly Address[], json: boolean): Promise<ExitCode> {
  const report = await readDeployment(addresses);
  if (json) printJson(report);
  else print(await renderDeployment(report));
  return isWell(report) ? EXIT.ok : EXIT.failed;
}

async function showUrls({ urls }: RunState, json: boolean): Promise<ExitCode> {
  if (json) printJson(urls);
  else print(await renderUrls(urls));
  return urls ? EXIT.ok : EXIT.failed;
}

/** As it is configured, `host:port`, or whole. Throws CLI_USAGE. */
function adminUrl(text: string): string {
  const url = URL.parse(/^https?:\/\//.test(text) ? text : `http://${text}`);
  if (url === null || url.port === '')
    throw usage(`--admin ${text}: the URL of an admin port is needed, http://host:9080`);
  return url.origin;
}

const usage = (message: string) => new PipelineError('CLI_USAGE', 'reject', message);

/** Of the pipeline on this machine: with its components, and what its supervisor does. */
export async function renderLocal(report: LocalReport): Promise<string> {
  const { phase, startedAt, pid, components, services } = report;
  const head = phase === 'running' ? headline(report) : pc.red(visible(phase));
  const log = services.find(({ name }) => name === 'ingress')?.logFile;
  return paragraphs([
    `${head} (up since ${formatTime(startedAt)} UTC, process ${pid})`,
    await renderTable(
      ['component', 'state', 'address'],
      components.map(({ name, state, address }) => [name, runs(state), address]),
    ),
    await renderTable(
      ['service', 'state', 'ready', 'lag', 'restarts', 'admin'],
      services.map((service) => [
        service.name,
        runs(service.state),
        readinessOf(service),
        lagOf(service),
        service.restarts,
        service.adminUrl ?? '',
      ]),
    ),
    renderConcerns(report),
    ...(await renderIntake(report, log)),
    ...(await renderAccounting(report)),
    countsLine(report),
  ]);
}

/** Of services of which only the admin ports are known. */
export async function renderDeployment(report: Report): Promise<string> {
  return paragraphs([
    headline(report),
    await renderTable(
      ['service', 'ready', 'lag', 'admin'],
      report.services.map((service) => [
        service.name,
        readinessOf(service),
        lagOf(service),
        service.adminUrl ?? '',
      ]),
    ),
    renderConcerns(report),
    ...(await renderIntake(report, undefined)),
    ...(await renderAccounting(report)),
    countsLine(report),
  ]);
}

export function renderUrls(urls: PipelineUrls | null): Promise<string> | string {
  if (!urls) return pc.yellow('not known before everything runs');
  return renderTable(['source', 'webhook'], Object.entries(urls.webhooks));
}

const paragraphs = (parts: readonly string[]) => parts.filter((part) => part !== '').join('\n\n');

/** Nothing where there is none. */
function renderConcerns({ concerns }: Report): string {
  return concerns
    .map(({ service, text, urgent }) => (urgent ? pc.red : pc.yellow)(visible(`${service}: ${text}`)))
    .join('\n');
}

/** The first line. */
export function headline({
  ready,
  services,
  onlyRefused,
  accounting,
  concerns,
}: Pick<Report, 'ready' | 'services' | 'onlyRefused' | 'accounting' | 'concerns'>): string {
  const degraded = services.some(({ readiness }) => readiness === 'degraded');
  const works = !ready ? pc.red('not ready') : degraded ? pc.yellow('degraded') : pc.green('ready');
  const verb = onlyRefused.length === 1 ? 'gets' : 'get';
  return [
    works,
    ...(onlyRefused.length > 0
      ? [pc.red(`${counted(onlyRefused.length, 'source')} ${verb} nothing but refusals`)]
      : []),
    ...(accounting && accounting.wrong.length > 0 ? [pc.red('the accounts do not balance')] : []),
    ...(concerns.some(({ urgent }) => urgent) ? [pc.red('look at what is red below')] : []),
  ].join(', ');
}

const runs = (state: string) => (state === 'running' ? pc.green(state) : pc.red(state));

const COLOURS: { readonly [R in Readiness]: (text: string) => string } = {
  ok: pc.green,
  degraded: pc.yellow,
  'not ready': pc.red,
  stopping: pc.yellow,
  'no answer': pc.red,
};

const PARTITIONS_SHOWN = 3;

function readinessOf({ readiness, problems, partitions }: ServiceReport): string {
  if (readiness === null) return '';
  const why = Object.entries(problems).map(([dependency, code]) => `${dependency} ${code}`);
  const names = Object.keys(partitions);
  const more =
    names.length > PARTITIONS_SHOWN ? [`${formatCount(names.length - PARTITIONS_SHOWN)} more`] : [];
  const where = names.length > 0 ? ` on ${[...names.slice(0, PARTITIONS_SHOWN), ...more].join(', ')}` : '';
  return COLOURS[readiness](`${[readiness, ...(why.length > 0 ? [why.join(', ')] : [])].join(': ')}${where}`);
}

function lagOf({ lag }: ServiceReport): string | number {
  if (lag === null) return '';
  const { records, exact, of } = lag;
  if (!of) return exact ? records : `≤ ${formatCount(records)}`;
  const each = Object.entries(of).map(([name, own]) => `${name} ${formatCount(own)}`);
  return `${exact ? '' : '≤ '}${formatCount(records)} (${each.join(', ')})`;
}

async function renderIntake(intake: Intake, log: string | undefined): Promise<string[]> {
  const { sources, recentSeconds, ingresses } = intake;
  const { asked, told } = ingresses;
  if (told === 0) return [pc.dim(asked > 0 ? 'no ingress tells what came in' : 'no ingress')];
  const minutes = `${Math.round((recentSeconds ?? 0) / 60)} min`;
  const table = await renderTable(
    [
      'source',
      'esp',
      'last accepted',
      'accepted',
      `in ${minutes}`,
      'refused',
      `in ${minutes}`,
      'most refused for',
    ],
    sources.map(rowOf),
  );
  const notes = [
    ...(told < asked
      ? [
          pc.yellow(
            `what ${counted(told, 'ingress', 'ingresses')} of ${asked} told: the others are not counted`,
          ),
        ]
      : []),
    ...sources
      .filter(({ name }) => intake.onlyRefused.includes(name))
      .map((source) => refusedLine(source, minutes)),
    ...(intake.onlyRefused.length > 0 && log !== undefined ? [pc.dim(`→ what to look at is in ${log}`)] : []),
  ];
  return [table, notes.join('\n'), spoolLine(intake)];
}

function rowOf(source: SourceReport): (string | number)[] {
  const { name, esp, lastAcceptedAt, sinceStart, recent } = source;
  return [
    name,
    esp,
    lastAcceptedAt === null ? 'not yet' : formatTime(lastAcceptedAt),
    sinceStart.accepted,
    recent.accepted,
    refusedOf(sinceStart),
    refusedOf(recent),
    topReason(source) ?? '',
  ];
}

function refusedLine(source: SourceReport, minutes: string): string {
  const refused = refusedOf(source.recent);
  const reasons = Object.keys(source.recent.refused).length;
  const most = `${reasons > 1 ? 'most of them ' : ''}${topReason(source)}`;
  return pc.red(
    visible(`${source.name} had ${counted(refused, 'request')} in the last ${minutes}, all refused: ${most}`),
  );
}

function spoolLine({ spool }: Intake): string {
  if (spool === null) return pc.dim('spool: switched off');
  const { records, bytes, oldestAt, setAside } = spool;
  const aside =
    setAside > 0 ? pc.red(`; ${formatCount(setAside)} set aside, which somebody must look at`) : '';
  if (records === 0) return `spool: empty${aside}`;
  const since = oldestAt === null ? '' : `, the oldest of ${formatTime(oldestAt)}`;
  const waits = `${counted(records, 'request')} (${counted(bytes, 'byte')}) ${records === 1 ? 'waits' : 'wait'} for Kafka${since}`;
  return `${pc.yellow(`spool: ${waits}`)}${aside}`;
}

/** What was counted from one service to the next, by source. */
async function renderAccounting({ accounting }: Report): Promise<string[]> {
  if (accounting === null) return [];
  const { sources, received, emitted, duplicates, deadLetters, erased, atRest, wrong } = accounting;
  const table = await renderTable(
    ['source', 'requests read', 'of these put back', 'events', 'dead letters'],
    sources.map(({ name, read, putBack, normalized, deadLetters: own }) => [
      ...[name === OTHERS ? 'others' : name, read, putBack, normalized, own],
    ]),
  );
  const when = atRest ? 'nothing waits' : 'some wait, so that requests and events are not compared';
  const sum = `${counted(received, 'event')} = ${formatCount(emitted)} emitted + ${formatCount(duplicates)} duplicates + ${counted(deadLetters, 'dead letter')}${erased > 0 ? ` + ${formatCount(erased)} of erased recipients` : ''}`;
  const line = `accounts: ${sum}; ${when}`;
  return [table, [line, ...wrong.map((text) => pc.red(visible(`  does not balance: ${text}`)))].join('\n')];
}

function countsLine({ counts }: Report): string {
  if (counts === null) return pc.dim('no counts: a service or ClickHouse does not answer');
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${formatCount(count)}`)
    .join(' · ');
}
