import { processorsInSql } from '@email-events/cli/services';
import type { ClickHouse } from '@email-events/sink-clickhouse';
import type { CampaignCounts } from '../../simulate/expectation.ts';

/** A row of a report; counts are numbers. */
export type Row = { readonly [column: string]: Cell };
type Cell = string | number | boolean | null;

/** The rows of one run's reports, out of ClickHouse and the CRM receiver. */
export interface Found {
  /** Rows by ESP and type. */
  readonly events: { readonly [esp: string]: { readonly [type: string]: number } };
  /** Rows of the run that share an event id with another row. */
  readonly repeated: number;
  readonly campaigns: readonly CampaignCounts[];
  readonly deliverability: readonly Row[];
  readonly abTests: readonly Row[];
  readonly deadLetters: { readonly [code: string]: number };
  /** Suppression state by recipient, in ClickHouse and at the CRM receiver. */
  readonly suppressions: SuppressionsFound;
  /** Null: there is no CRM. */
  readonly crm: SuppressionsFound | null;
}

/** As the simulator writes it: `reason` or `reason:scope`, sorted. Recipients without a reason are left out. */
export type SuppressionsFound = ReadonlyMap<string, { suppressed: boolean; reasons: readonly string[] }>;

export async function readFound(
  clickhouse: ClickHouse,
  receiverUrl: string | null,
  run: string,
  since: number,
): Promise<Found> {
  const ask = (sql: string) => clickhouse.query<Row>(sql, { run, since: since / 1000 });
  const [events, repeated, campaigns, deliverability, abTests, deadLetters, suppressions, crm] =
    await Promise.all([
      ask(EVENTS),
      ask(REPEATED),
      ask(CAMPAIGNS),
      ask(DELIVERABILITY),
      ask(AB_TESTS),
      ask(DEAD_LETTERS),
      ask(SUPPRESSIONS),
      receiverUrl === null ? null : readReceiver(receiverUrl, run),
    ]);
  return {
    events: nested(events),
    repeated: Number(repeated[0]?.repeated ?? 0),
    campaigns: campaigns.map(withNumbers) as unknown as CampaignCounts[],
    deliverability: deliverability.map(withNumbers),
    abTests: abTests.map(withNumbers),
    deadLetters: Object.fromEntries(deadLetters.map(({ code, n }) => [String(code), Number(n)])),
    suppressions: new Map(suppressions.map(suppressionRow)),
    crm,
  };
}

// Every event of a run says so in its metadata.
const OF_RUN = `FROM email_events WHERE metadata['run'] = {run:String}`;
const EVENTS = `SELECT esp, type, count() AS n ${OF_RUN} GROUP BY esp, type`;
const REPEATED = `SELECT count() - uniqExact(event_id) AS repeated ${OF_RUN}`;
const CAMPAIGNS = `
  SELECT campaign, variant,
         countIf(type = 'queued') AS queued, countIf(type = 'delivered') AS delivered,
         countIf(type = 'bounced') AS bounced, countIf(type = 'opened') AS opened,
         countIf(type = 'opened' AND is_machine) AS machineOpened, countIf(type = 'clicked') AS clicked,
         countIf(type = 'complained') AS complained, countIf(type = 'unsubscribed') AS unsubscribed
  ${OF_RUN} AND campaign IS NOT NULL
  GROUP BY campaign, variant ORDER BY campaign, variant`;
// By message, as the view of that name: one that bounced after it was delivered is a bounce.
const DELIVERABILITY = `
  SELECT recipient_domain, countIf(was_delivered AND NOT bounced_last) AS delivered,
         countIf(bounced_last AND was_hard) AS bounced_hard, countIf(bounced_last AND NOT was_hard) AS bounced_soft,
         countIf(was_dropped) AS dropped, countIf(was_complained) AS complained,
         delivered / nullIf(delivered + bounced_hard + bounced_soft + dropped, 0) AS delivery_rate
  FROM (
    SELECT recipient_domain, countIf(type = 'delivered') > 0 AS was_delivered,
           countIf(type = 'bounced') > 0 AND maxIf(occurred_at, type = 'bounced') >= maxIf(occurred_at, type = 'delivered') AS bounced_last,
           countIf(bounce_class = 'hard') > 0 AS was_hard,
           countIf(type = 'dropped') > 0 AS was_dropped, countIf(type = 'complained') > 0 AS was_complained
    ${OF_RUN} GROUP BY recipient_domain, source, recipient_key, coalesce(esp_message_id, message_id, '')
  ) GROUP BY recipient_domain ORDER BY delivered DESC LIMIT 8`;
// The report view sums all runs, as an analyst would see it.
const AB_TESTS = `
  SELECT source, campaign, variant, delivered, opened, clicked,
         open_rate, open_difference_low, open_difference_high, open_p_value, open_verdict,
         click_rate, click_difference_low, click_difference_high, click_p_value, click_verdict
  FROM ab_comparison ORDER BY campaign, source, variant`;
const DEAD_LETTERS = `
  SELECT code, count() AS n FROM dead_letters FINAL
  WHERE stage IN (${processorsInSql}) AND first_at >= toDateTime64({since:Float64}, 3, 'UTC') GROUP BY code ORDER BY code`;
const SUPPRESSIONS = `
  SELECT recipient, suppressed, arrayMap(r -> (r.reason, r.scope), reasons) AS reasons
  FROM suppressions_current WHERE position(recipient, {run:String}) > 0`;

const NAMES: readonly string[] = [
  ...['source', 'campaign', 'variant', 'recipient_domain', 'open_verdict', 'click_verdict'],
];

/** 64-bit counts come as text. */
function withNumbers(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, cell]) => [
      name,
      typeof cell === 'string' && !NAMES.includes(name) ? Number(cell) : cell,
    ]),
  );
}

function nested(rows: readonly Row[]): { [esp: string]: { [type: string]: number } } {
  const events: { [esp: string]: { [type: string]: number } } = {};
  for (const { esp, type, n } of rows) {
    events[String(esp)] = { ...events[String(esp)], [String(type)]: Number(n) };
  }
  return events;
}

function suppressionRow({ recipient, suppressed, reasons }: Row) {
  const pairs = reasons as unknown as [string, string][];
  return [
    String(recipient),
    {
      suppressed: isTrue(suppressed),
      reasons: pairs.map(([reason, scope]) => reasonText(reason, scope)).sort(),
    },
  ] as const;
}

const isTrue = (cell: Cell | undefined) => cell === true || cell === 1;
const reasonText = (reason: string, scope: string) => (scope === 'all' ? reason : `${reason}:${scope}`);

interface ReceiverPage {
  readonly suppressions: readonly {
    recipient: string;
    suppressed: boolean;
    reasons: readonly { reason: string; scope: string }[];
  }[];
  readonly next: string | null;
}

const PAGE = 1_000;

/** All states of the run that the CRM receiver holds. */
async function readReceiver(url: string, run: string): Promise<SuppressionsFound> {
  const found = new Map<string, { suppressed: boolean; reasons: readonly string[] }>();
  let after: string | null = '';
  while (after !== null) {
    const response = await fetch(`${url}/suppressions?limit=${PAGE}&after=${encodeURIComponent(after)}`);
    const page = (await response.json()) as ReceiverPage;
    for (const { recipient, suppressed, reasons } of page.suppressions) {
      if (!recipient.includes(run)) continue;
      const texts = reasons.map(({ reason, scope }) => reasonText(reason, scope)).sort();
      found.set(recipient, { suppressed, reasons: texts });
    }
    after = page.next;
  }
  return found;
}
