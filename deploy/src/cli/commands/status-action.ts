import { PipelineError } from '@email-events/core/errors';
import pc from 'picocolors';
import { homeFolder, pathsOf } from '../../run/home.ts';
import { readState } from '../../run/state-file.ts';
import { type PipelineStatus, readStatus, type ServiceReport } from '../../run/status.ts';
import type { Action } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { formatCount, print, printJson, renderTable } from '../output.ts';
import { visible } from '../terminal.ts';

export const statusAction: Action<object> = async ({ json }) => {
  const paths = pathsOf(homeFolder());
  const state = readState(paths);
  if (!state) throw new PipelineError('RUN_NOT_RUNNING', 'fatal', `no pipeline runs on ${paths.home}`);
  const status = await readStatus(state);
  if (json) printJson(status);
  else print(await renderStatus(status));
  return status.ready ? EXIT.ok : EXIT.failed;
};

export async function renderStatus(status: PipelineStatus): Promise<string> {
  const { phase, startedAt, pid, components, services, counts, urls } = status;
  const head = `${status.ready ? pc.green('ready') : pc.red(phase === 'running' ? 'not ready' : visible(phase))}, since ${startedAt}, process ${pid}`;
  const parts = await Promise.all([
    renderTable(
      ['component', 'state', 'address'],
      components.map(({ name, state, address }) => [name, coloured(state === 'running', state), address]),
    ),
    renderTable(['service', 'state', 'ready', 'lag', 'restarts', 'admin'], services.map(serviceRow)),
  ]);
  const webhooks = Object.values(urls?.webhooks ?? {}).map((url) => `webhook ${visible(url)}`);
  const numbers = counts
    ? Object.entries(counts)
        .map(([name, count]) => `${name} ${formatCount(count)}`)
        .join(' · ')
    : pc.dim('no counts: a service or ClickHouse does not answer');
  return [head, ...parts, numbers, webhooks.join('\n')].join('\n\n');
}

function serviceRow({ name, state, ready, lag, restarts, adminUrl }: ServiceReport) {
  const readiness = ready === null ? '' : ready === 'ok' ? pc.green('ok') : pc.red(ready);
  const behind = lag === null ? '' : `${lag.exact ? '' : '≤ '}${formatCount(lag.records)}`;
  return [name, coloured(state === 'running', state), readiness, behind, restarts, adminUrl ?? ''];
}

const coloured = (well: boolean, text: string) => (well ? pc.green(text) : pc.red(text));
