import { PipelineError } from '@email-events/core/errors';
import { type Action, loadPipelineConfig } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { homeFolder, pathsOf } from '../home.ts';
import { print, printJson } from '../output.ts';
import { situationOf } from '../remedies.ts';
import { type RunState, readState } from '../state-file.ts';
import { adminAddresses } from '../status/addresses.ts';
import { type Address, readDeployment } from '../status/deployment.ts';
import { readLocal } from '../status/local.ts';
import { isWell } from '../status/report.ts';
import { renderDeployment, renderLocal, renderUrls } from './status-render.ts';

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
  // A configuration that was named is of another deployment. An image has no pipeline of its own.
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
