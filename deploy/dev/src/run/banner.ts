import { join } from 'node:path';
import { counted } from '@email-events/cli/output';
import type { PipelineUrls } from '@email-events/cli/state-file';
import pc from 'picocolors';
import type { RunningPipeline } from './pipeline.ts';

type Shown = Pick<RunningPipeline, 'urls' | 'paths' | 'config' | 'certificate'>;

/** Where everything is, and commands to try. */
export function renderBanner({ urls, paths, config, certificate }: Shown): string {
  const line = (label: string, text: string) => `  ${label.padEnd(12)} ${text}`;
  return [
    pc.bold('Where everything is'),
    line('webhooks', webhooksText(urls)),
    ...(certificate ? [line('certificate', `${certificate}  ${pc.dim('for curl --cacert')}`)] : []),
    line(
      'ClickHouse',
      `${playLink({ url: urls.clickhouse }, config.sinks.clickhouse.database)}  ${pc.dim('reads only')}`,
    ),
    line('Kafka', urls.kafka),
    line('registry', urls.registry),
    line(
      'CRM',
      urls.receiver === null
        ? pc.dim('none is configured')
        : `${urls.receiver}  ${pc.dim('a stand-in: what a CRM would have received')}`,
    ),
    ...(urls.lookup === null
      ? []
      : [
          line(
            'look-ups',
            `${urls.lookup}/v1/may-mail  ${pc.dim(`token in ${join(paths.secrets, 'lookup.token')}`)}`,
          ),
        ]),
    line('metrics', pc.dim('at the admin ports that `npx email-events status` shows')),
    line('logs', paths.logs),
    line('config', paths.configFile),
    '',
    pc.bold('What to try, in another terminal'),
    ...[
      'npx email-events simulate --events 2000 --rate 200',
      'npx email-events tail email.events.bounced --from-beginning --max 5',
      'npx email-events tail email.suppressions --from-beginning --max 5',
      'npx email-events status',
    ].map((command) => `  ${command}`),
  ].join('\n');
}

/** One source's, or what they have in common: there may be as many as ESPs. */
export function webhooksText({ ingress, webhooks }: PipelineUrls): string {
  const [first, ...more] = Object.values(webhooks);
  if (first === undefined) return pc.dim('no source is configured');
  if (more.length === 0) return first;
  const all = pc.dim(`${counted(more.length + 1, 'source')}: npx email-events status --urls`);
  return `${ingress}/webhooks/email-events/<source>  ${all}`;
}

const QUERY = 'SELECT * FROM campaign_performance ORDER BY delivered DESC LIMIT 20';

/**
 * ClickHouse's own query page, as the user who may only read, in the pipeline's database, with a query to begin with. The
 * page takes the text of a query as base64 behind the #.
 */
export function playLink(clickhouse: { readonly url: string }, database: string): string {
  const page = new URL('/play', clickhouse.url);
  page.searchParams.set('user', 'analyst');
  page.searchParams.set('database', database);
  page.hash = Buffer.from(QUERY).toString('base64');
  return page.href;
}
