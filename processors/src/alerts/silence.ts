import { type Finding, keyOf, type RuleSettings } from './rules.ts';
import { DAY_MS, HOUR_MS, type MailWindows, type Scope } from './windows.ts';

/** Days that are looked back at. */
const DAYS = [1, 2, 3, 4, 5, 6, 7];
/** On so many of them a source must have talked at this time of day. */
const ACTIVE_DAYS = 3;
/** Hours without a pause after which a source talks around the clock. */
const STEADY_HOURS = 24;
/** Reports in that time that make one active. */
const LEAST = 20;
const LEAST_AN_HOUR = 5;
/** One that was silent for so long has ended. */
const GIVEN_UP_MS = 7 * DAY_MS;

/**
 * Sources that are silent by the wall clock, although they talk at this time on other days: pure. A source that is silent every night, or
 * at weekends, is so without a word. `now`: epoch milliseconds; everything that was received by then must be in the windows.
 */
export function judgeSilence(windows: MailWindows, now: number, settings: RuleSettings): Finding[] {
  const judged = windows.sources().flatMap((scope) => judgeSource(windows, scope, now, settings));
  const silent = judged.filter(({ finding }) => finding !== undefined);
  const isAll = silent.length > 1 && silent.length === judged.length;
  return silent.flatMap(({ finding }) =>
    finding ? [isAll ? { ...finding, advice: 'check_pipeline' as const } : finding] : [],
  );
}

function judgeSource(
  windows: MailWindows,
  scope: Scope,
  now: number,
  { silenceMinutes }: RuleSettings,
): { finding: Finding | undefined }[] {
  const known = windows.known(scope.source);
  if (!known || now - known.lastAt >= GIVEN_UP_MS) return [];
  const ms = silenceMinutes * 60_000;
  const silentMs = now - known.lastAt;
  const usual = usualReports(windows, scope.source, now, ms);
  const isUsual = talksDaily(usual, known.firstHour <= now - 7 * DAY_MS - HOUR_MS);
  const isSteady = talksSteadily(windows, scope.source, known.lastAt);
  if (silentMs < ms) return isUsual || isSteady ? [{ finding: undefined }] : [];
  const finding: Finding = {
    ...{ key: keyOf('silence', 'critical', scope), rule: 'silence', level: 'critical', scope },
    ...{ value: Math.floor(silentMs / 60_000), threshold: silenceMinutes, past: null, events: 0 },
    ...{ of: Math.round(usual.reduce((sum, count) => sum + count, 0) / DAYS.length) },
    ...{ window_from: known.lastAt, window_to: now, advice: 'check_webhook', coveredBy: [], calmMs: 0 },
    over: isUsual || isSteady,
  };
  return [{ finding }];
}

/** What was reported at this time on each of the days before, yesterday first. */
const usualReports = (windows: MailWindows, source: string, now: number, ms: number) =>
  DAYS.map((days) => {
    const to = now - days * DAY_MS;
    return windows.reports(source, { from: to - ms, to });
  });

/** A week ago it was the same day of the week: if that is known, it must have been active, or Saturdays would be compared with Fridays. */
function talksDaily(reports: readonly number[], knowsWeek: boolean): boolean {
  const active = reports.map((count) => count >= LEAST);
  return active.filter(Boolean).length >= ACTIVE_DAYS && (!knowsWeek || active.at(-1) === true);
}

/** In each whole hour of the day before its last report. */
function talksSteadily(windows: MailWindows, source: string, lastAt: number): boolean {
  const end = lastAt - (lastAt % HOUR_MS);
  for (let hour = 1; hour <= STEADY_HOURS; hour++) {
    const from = end - hour * HOUR_MS;
    if (windows.reports(source, { from: from + HOUR_MS - 1, to: from + HOUR_MS }) < LEAST_AN_HOUR)
      return false;
  }
  return true;
}
