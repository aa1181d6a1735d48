import { type Migration, readMigrations } from './migrations.ts';

/** What the migrations make that can be read. */
export interface Relation {
  readonly name: string;
  readonly kind: 'table' | 'view';
  /** Table: whether each row is of one source, by the column `source`. */
  readonly bySource: boolean;
}

const CREATED =
  /^CREATE (TABLE|VIEW|OR REPLACE VIEW)(?: IF NOT EXISTS)? \{\{database\}\}\.(\w+)([\s\S]*?);[ \t]*$/gm;
const COLUMN_OF_SOURCE = /^ {2}source (?:LowCardinality\()?(?:Nullable\()?String/m;

/** Tables and views by the text of the migrations, so that no server need be asked. Materialised views are not among them: they only fill tables. */
export function relationsOf(migrations: readonly Migration[] = readMigrations()): Relation[] {
  const relations = new Map<string, Relation>();
  for (const { sql } of migrations)
    for (const [, what, name = '', rest = ''] of sql.matchAll(CREATED)) {
      const kind = what === 'TABLE' ? 'table' : 'view';
      relations.set(name, { name, kind, bySource: kind === 'table' && COLUMN_OF_SOURCE.test(rest) });
    }
  return [...relations.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
