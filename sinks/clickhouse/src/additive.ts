/** What leaves everything in place that an older release reads or writes: its tables, columns and views, by their names. */
const ADDS = [
  /^CREATE (TABLE|VIEW|MATERIALIZED VIEW) IF NOT EXISTS /,
  // That it still has its columns is seen by the tests, on a server.
  /^CREATE OR REPLACE VIEW /,
  /^INSERT INTO /,
  // A materialised view fills a table: no release reads it, or writes to it, by its name. That the table still says what it did is seen by the tests.
  /^DROP VIEW IF EXISTS \S+_mv`?(?: |$)/,
  /^ALTER TABLE \S+_mv`?\s+(?:ON CLUSTER \S+\s+)?MODIFY QUERY\s/,
  /^RENAME TABLE IF EXISTS \S+_mv`? TO \S+_mv`?(?: |$)/,
];
const CHANGE = /^ALTER TABLE \S+\s+(?:ON CLUSTER \S+\s+)?/;
const ADDITION =
  /^(ADD (COLUMN|INDEX|PROJECTION) IF NOT EXISTS |MODIFY SETTING |(MODIFY COMMENT|COMMENT COLUMN) )/;

/**
 * Whether all that these statements do is add, so that a release that does not know them works on as before. The ledger keeps the answer for releases that do
 * not have the file.
 */
export const isAdditive = (statements: readonly string[]): boolean =>
  statements.map(bare).every((statement) => {
    if (ADDS.some((form) => form.test(statement))) return true;
    const [change] = CHANGE.exec(statement) ?? [];
    return (
      change !== undefined && partsOf(statement.slice(change.length)).every((part) => ADDITION.test(part))
    );
  });

/** Without comments and the inside of strings, in which anything may be written. */
const bare = (statement: string) =>
  statement.replaceAll(/--.*$|'(?:[^'\\]|\\.|'')*'/gm, (found) => (found.startsWith('-') ? '' : "''")).trim();

/** What an ALTER lists, split at the commas that are in no brackets. */
function partsOf(list: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const char of list) {
    if (char === '(') depth++;
    if (char === ')') depth--;
    if (char === ',' && depth === 0) parts.push('');
    else parts.push(`${parts.pop()}${char}`);
  }
  // Settings that follow one another are one part.
  return parts.map((part) => part.trim()).filter((part) => !/^\w+ = \S+$/.test(part));
}
