import { ab } from './ab.ts';
import { campaigns } from './campaigns.ts';
import { deliverability } from './deliverability.ts';
import { health } from './health.ts';
import { hygiene } from './hygiene.ts';

/** Text of each dashboard by its uid, for Grafana's provisioning. */
export function dashboards(): ReadonlyMap<string, string> {
  const built = [deliverability, campaigns, ab, hygiene, health].map((board) => board.build());
  return new Map(built.map((dashboard) => [dashboard.uid ?? '', `${JSON.stringify(dashboard, null, 2)}\n`]));
}
