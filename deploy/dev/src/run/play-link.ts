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
