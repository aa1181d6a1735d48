import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { analystXml } from '@email-events/cli/access/analyst';
import { markdownTable } from '@email-events/schemas/tools';
import { RUN_CODES } from '../src/codes.ts';
import { dashboards } from './grafana/index.ts';

const rows = Object.entries(RUN_CODES).map(([code, meaning]) => [`\`${code}\``, meaning]);
const page = [
  '<!-- Generated from src/codes.ts by `npm run gen`. Do not edit. -->',
  '# Error codes of the local pipeline',
  '',
  'What `start`, `up`, `down`, `run` and the demo say, beside the [codes of services and commands](../ERRORS.md).',
  '',
  markdownTable([['code', 'meaning'], ...rows]),
];
writeFileSync(new URL('../ERRORS.md', import.meta.url), page.join('\n'));

const folder = new URL('../../grafana/dashboards/', import.meta.url);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const [uid, text] of dashboards()) writeFileSync(new URL(`${uid}.json`, folder), text);

// The analyst of the local pipeline has what one in production has, on a smaller machine. The server listens on loopback only, or its port is published there
// only, where a container sees another address.
writeFileSync(
  new URL('../stack/clickhouse/users.d/analyst.xml', import.meta.url),
  analystXml({
    ...{ user: 'analyst', database: 'email', networks: ['::/0'] },
    ...{ memory: 900, seconds: 60, rows: 1_000_000, readRows: 2_000_000_000, threads: 2, queries: 8 },
  }),
);
