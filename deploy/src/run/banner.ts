import pc from 'picocolors';
import type { RunningPipeline } from './pipeline.ts';
import { playLink } from './play-link.ts';

/** Where everything is, and commands to try. */
export function renderBanner({ urls, admin, paths, config, certificate }: RunningPipeline): string {
  const line = (label: string, text: string) => `  ${label.padEnd(12)} ${text}`;
  const webhooks = Object.entries(urls.webhooks).map(([, url], index) =>
    line(index === 0 ? 'webhooks' : '', url),
  );
  const metrics = Object.entries(admin).map(([name, url], index) =>
    line(index === 0 ? 'metrics' : '', `${url}/metrics  ${pc.dim(name)}`),
  );
  return [
    pc.bold('Where everything is'),
    ...webhooks,
    ...(certificate ? [line('certificate', `${certificate}  ${pc.dim('for curl --cacert')}`)] : []),
    line(
      'ClickHouse',
      `${playLink({ url: urls.clickhouse }, config.sinks.clickhouse.database)}  ${pc.dim('reads only')}`,
    ),
    line('Kafka', urls.kafka),
    line('registry', urls.registry),
    line('CRM', `${urls.receiver}  ${pc.dim('a stand-in: what a CRM would have received')}`),
    ...metrics,
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
