import { type ClickHouseAddress, quoted } from './connection.ts';
import { modelSql } from './model/sql.ts';

/**
 * More than those of an hour, at the most that the setting allows and with those that are ahead of their time, twice, since a lane's next owner
 * does not know of the last one's: of the lanes of events, and as many of the lanes by which refused records come back, which may be events too.
 */
export const DEDUPLICATED_INSERTS = 300_000;
const DEDUPLICATED_SECONDS = 7 * 86_400;

/**
 * Statements of a file: each ends with a semicolon at the end of a line. Placeholders: {{database}}, {{on_cluster}},
 * {{engine Name}} (its replicated sister on a cluster), {{deduplication}} (how many inserts a table remembers), those of the
 * model (model/sql.ts), and the file's own: {{define NAME}} … {{end}} is what {{NAME}} stands for further down.
 * What is done in parts keeps its {{each day of TABLE}} (fill.ts).
 */
export function statementsOf(sql: string, { database, cluster }: ClickHouseAddress): string[] {
  const remembered = cluster
    ? `replicated_deduplication_window = ${DEDUPLICATED_INSERTS}, replicated_deduplication_window_seconds = ${DEDUPLICATED_SECONDS}`
    : `non_replicated_deduplication_window = ${DEDUPLICATED_INSERTS}`;
  return modelSql(withDefinitions(sql))
    .replaceAll('{{database}}', quoted(database))
    .replaceAll('{{on_cluster}}', cluster ? `ON CLUSTER ${quoted(cluster)}` : '')
    .replaceAll(/\{\{engine (\w+)\}\}/g, (_, engine: string) => (cluster ? `Replicated${engine}` : engine))
    .replaceAll('{{deduplication}}', remembered)
    .split(/;[ \t]*(?:\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}

function withDefinitions(sql: string): string {
  const definitions = new Map<string, string>();
  const filled = (text: string) =>
    text.replaceAll(/\{\{(\w+)\}\}/g, (placeholder, name: string) => definitions.get(name) ?? placeholder);
  const rest = sql.replaceAll(
    /^\{\{define (\w+)\}\}\n(.*?)\n\{\{end\}\}\n/gms,
    (_, name: string, text: string) => {
      definitions.set(name, filled(text));
      return '';
    },
  );
  return filled(rest);
}
