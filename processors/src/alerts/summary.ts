import type { Alert } from '@email-events/schemas';

const NAMES: { readonly [rule in Alert['rule']]: string } = {
  bounce_rate: 'bounces',
  complaint_rate: 'complaints',
  deferral_rate: 'deferrals',
  blocked: 'refusals and deferrals',
  silence: 'silence',
};

const ADVICE: { readonly [advice in Alert['advice']]: string } = {
  watch: 'Look at what is being sent, and to whom',
  pause: 'Send no more of this until the cause is known',
  slow_down: 'Send less a minute',
  fail_over: 'Send this by another ESP, if there is one',
  check_webhook: 'Look at the webhook’s settings at the ESP, and whether mail is sent at all',
  check_pipeline: 'Every source is silent: look at the intake first (email-events status)',
};

/** An alert in a sentence or two, without an address. */
export function summaryOf(alert: Omit<Alert, 'summary'>): string {
  const { status, rule, level, source, stream, provider, started_at, resolved_at } = alert;
  const part = [
    `source ${source}`,
    stream === null ? '' : `, stream ${stream}`,
    provider === null ? '' : `, mailboxes at ${provider}`,
  ].join('');
  if (status === 'resolved') {
    const minutes = Math.round(((resolved_at ?? started_at) - started_at) / 60_000);
    return `Over after ${minutes} min: ${NAMES[rule]} of ${part}.`;
  }
  const advice = `${ADVICE[alert.advice]}.`;
  if (rule === 'silence') return `Nothing from ${part} for ${alert.value} min. ${advice}`;
  const above =
    level === 'rise'
      ? `${percent(alert.past ?? 0)} in the 24 hours before`
      : `more than ${percent(alert.threshold)}`;
  return `${percent(alert.value)} ${NAMES[rule]} of ${alert.of} at ${part} (${above}). ${advice}`;
}

const percent = (value: number) => `${Number((value * 100).toPrecision(2))} %`;
