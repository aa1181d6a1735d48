import type { Alert } from '@email-events/schemas';
import type { AlertsSettings } from './config.ts';
import { type Counts, DAY_MS, type MailWindows, type Scope, type Spans, type View } from './windows.ts';

/** What a rule finds at a moment, of one thing that it judges. */
export interface Finding
  extends Pick<
    Alert,
    | 'rule'
    | 'level'
    | 'value'
    | 'threshold'
    | 'past'
    | 'events'
    | 'of'
    | 'window_from'
    | 'window_to'
    | 'advice'
  > {
  /** Names rule, level and scope. */
  readonly key: string;
  readonly scope: Scope;
  /** It is worth an alert. An alert that fires goes on as long as there is a finding, be it over or not. */
  readonly over: boolean;
  /** Keys of what says the same and more: it does not fire beside one of these. */
  readonly coveredBy: readonly string[];
  /** It is over once there was no finding for so long. Milliseconds. */
  readonly calmMs: number;
}

export type RuleSettings = Omit<AlertsSettings, 'adminPort' | 'evaluateMs' | 'http'>;

export const keyOf = (
  rule: Alert['rule'],
  level: Alert['level'],
  { source, stream, provider }: Scope,
): string => JSON.stringify([rule, level, source, stream, provider]);

const BLOCKED_MS = 15 * 60_000;
/** An alert goes on while its rate is above this part of what it fired at: a rate that moves about the threshold is one alert. */
const HYSTERESIS = 0.8;
/** So many times more volume than other rates: complaints are one in a thousand where bounces are one in twenty. */
const COMPLAINT_VOLUME = 10;
/** A provider of whose mail more than this was refused before does not block suddenly. */
const TOOK_BEFORE = 0.2;

type Names = 'window' | 'short' | 'day' | 'past' | 'shortPast';

/**
 * The rates of all sources, their streams and the mailbox providers of their recipients, in the windows that end at `at`: pure. A rate needs a volume; a source that never
 * reports deliveries has none, since its bounces would be all there is.
 */
export function judgeRates(windows: MailWindows, at: number, settings: RuleSettings): Finding[] {
  const spans = spansOf(at, settings);
  return windows.sources().flatMap(({ source }) => {
    const [whole, ...parts] = windows.views(source, spans);
    if (!whole || whole.counts.day.delivered === 0) return [];
    // One that is all of the source says nothing more than the source does.
    const own = parts.filter(({ counts }) => counts.day.all < whole.counts.day.all);
    return [whole, ...own].flatMap((view) => judgeView(view, spans, settings));
  });
}

function spansOf(at: number, { windowMinutes }: RuleSettings): Spans<Names> {
  const [window, short] = [at - windowMinutes * 60_000, at - BLOCKED_MS];
  return {
    window: { by: 'minutes', from: window, to: at + 1 },
    short: { by: 'minutes', from: short, to: at + 1 },
    day: { by: 'hours', from: at - DAY_MS, to: at + 1 },
    past: { by: 'whole-hours', from: window - DAY_MS, to: window },
    shortPast: { by: 'whole-hours', from: short - DAY_MS, to: short },
  };
}

interface Judged {
  readonly rule: Alert['rule'];
  readonly rate: Rate;
  readonly past?: Rate;
  readonly warning: number;
  readonly critical: number;
  readonly window: Spans<Names>[Names];
  readonly minVolume: number;
}

interface Rate {
  readonly events: number;
  readonly of: number;
}

function judgeView(view: View<Names>, spans: Spans<Names>, settings: RuleSettings): Finding[] {
  const { window, day, past } = view.counts;
  const { bounceRate, complaintRate, deferralRate, minVolume } = settings;
  const rates: Judged[] = [
    {
      ...{ rule: 'bounce_rate', rate: bounces(window), past: bounces(past), ...bounceRate },
      ...{ window: spans.window, minVolume },
    },
    {
      ...{ rule: 'deferral_rate', rate: deferrals(window), past: deferrals(past), ...deferralRate },
      ...{ window: spans.window, minVolume },
    },
    {
      ...{ rule: 'complaint_rate', rate: { events: day.complained, of: day.delivered }, ...complaintRate },
      ...{ window: spans.day, minVolume: minVolume * COMPLAINT_VOLUME },
    },
  ];
  return [
    ...rates.flatMap((judged) => judgeRate(view, judged, settings)),
    ...judgeBlock(view, spans, settings),
  ];
}

const bounces = ({ bounced, delivered }: Counts): Rate => ({ events: bounced, of: bounced + delivered });
const deferrals = ({ bounced, delivered, deferred }: Counts): Rate => ({
  events: deferred,
  of: bounced + delivered + deferred,
});
const refusals = ({ bounced, delivered, deferred, blocked }: Counts): Rate => ({
  events: blocked + deferred,
  of: bounced + delivered + deferred,
});

const rateOf = ({ events, of }: Rate) => (of === 0 ? 0 : events / of);

function judgeRate({ scope }: View<Names>, judged: Judged, settings: RuleSettings): Finding[] {
  const { rule, rate, warning, critical, window, minVolume } = judged;
  if (rate.of < minVolume || rate.events < settings.minEvents) return [];
  const value = rateOf(rate);
  const past = judged.past && judged.past.of >= minVolume ? rateOf(judged.past) : null;
  const calmMs = settings.resolveMinutes * 60_000;
  const [atWarning, atCritical] = [keyOf(rule, 'warning', scope), keyOf(rule, 'critical', scope)];
  const of = {
    rule,
    scope,
    value,
    past,
    ...rate,
    window_from: window.from,
    window_to: window.to - 1,
    calmMs,
  };
  const finding = (
    level: Alert['level'],
    threshold: number,
    over: boolean,
    coveredBy: string[],
  ): Finding[] =>
    value > threshold * HYSTERESIS
      ? [
          {
            ...of,
            key: keyOf(rule, level, scope),
            level,
            threshold,
            over,
            coveredBy,
            advice: adviceOf(rule, level, scope),
          },
        ]
      : [];
  const rise = past === null ? undefined : Math.max(past * settings.rise, warning / 2);
  return [
    ...finding('critical', critical, value > critical, []),
    ...finding('warning', warning, value > warning, [atCritical]),
    ...(rise === undefined
      ? []
      : finding('rise', rise, value > rise && isNoChance(rate, past ?? 0), [atWarning, atCritical])),
  ];
}

/** More than three standard deviations above what was to be expected, as if events came independently. */
function isNoChance({ events, of }: Rate, past: number): boolean {
  const expected = past * of;
  return events > expected + 3 * Math.sqrt(Math.max(expected, 1));
}

function adviceOf(rule: Alert['rule'], level: Alert['level'], { stream, provider }: Scope): Alert['advice'] {
  if (rule === 'deferral_rate') {
    const isWhole = stream === null && provider === null;
    return isWhole && level === 'critical' ? 'fail_over' : 'slow_down';
  }
  return level === 'critical' ? 'pause' : 'watch';
}

/** A mailbox provider that took mail within the day before, and now does not. */
function judgeBlock(
  { scope, counts }: View<Names>,
  { short }: Spans<Names>,
  settings: RuleSettings,
): Finding[] {
  const { provider } = scope;
  const { blockedRate: threshold, minVolume, minEvents, resolveMinutes } = settings;
  // Those of no known provider are many, and do not block together.
  if (provider === null || provider === 'other') return [];
  const [rate, before] = [refusals(counts.short), refusals(counts.shortPast)];
  if (rate.of < minVolume || rate.events < minEvents || before.of < minVolume) return [];
  const [value, past] = [rateOf(rate), rateOf(before)];
  if (value <= threshold * HYSTERESIS) return [];
  return [
    {
      ...{
        key: keyOf('blocked', 'critical', scope),
        rule: 'blocked',
        level: 'critical',
        scope,
        value,
        threshold,
      },
      ...{
        past,
        ...rate,
        window_from: short.from,
        window_to: short.to - 1,
        advice: 'fail_over',
        coveredBy: [],
      },
      ...{ over: value > threshold && past < TOOK_BEFORE, calmMs: resolveMinutes * 60_000 },
    },
  ];
}
