import { describe, expect, test } from 'vitest';
import { AT, add, DAY, HOUR, MINUTE, settingsOf } from './mail.fixture.ts';
import { judgeSilence } from './silence.ts';
import { MailWindows, type Reported } from './windows.ts';

/** A Wednesday at noon; what is told hour by hour until some hours ago. */
function talk(
  windows: MailWindows,
  isActive: (at: Date) => boolean,
  days: number,
  untilHoursAgo: number,
  of: Partial<Reported> = {},
) {
  for (let at = AT - days * DAY; at <= AT - untilHoursAgo * HOUR; at += HOUR)
    if (isActive(new Date(at))) add(windows, 30, 'opened', { ...of, received_at: at });
}

const always = () => true;
const office = (at: Date) =>
  at.getUTCHours() >= 8 && at.getUTCHours() < 18 && ![0, 6].includes(at.getUTCDay());

const silent = (windows: MailWindows, now = AT) =>
  judgeSilence(windows, now, settingsOf())
    .filter(({ over }) => over)
    .map(({ scope, value, advice }) => [scope.source, value, advice]);

describe('a source is silent', () => {
  test('that talked around the clock, after an hour', () => {
    const windows = new MailWindows();
    talk(windows, always, 2, 0);
    expect(silent(windows, AT + 59 * MINUTE)).toEqual([]);
    expect(silent(windows, AT + 60 * MINUTE)).toEqual([['main', 60, 'check_webhook']]);
  });

  test('that talks at this time on other days, and not at night or at the weekend', () => {
    const windows = new MailWindows();
    talk(windows, office, 7.5, 3);
    expect(silent(windows)).toEqual([['main', 180, 'check_webhook']]);
    const well = new MailWindows();
    talk(well, office, 7.5, 0);
    for (let hours = 7; hours <= 19; hours++) expect(silent(well, AT + hours * HOUR)).toEqual([]);
    const weekend = new MailWindows();
    const saturday = AT + 3 * DAY;
    for (let at = AT - 5 * DAY; at < saturday; at += HOUR)
      if (office(new Date(at))) add(weekend, 30, 'opened', { received_at: at }, saturday);
    expect(silent(weekend, saturday)).toEqual([]);
  });

  test('until it talks again, whatever the hour', () => {
    const windows = new MailWindows();
    talk(windows, office, 7.5, 3);
    const night = AT + 10 * HOUR;
    expect(judgeSilence(windows, night, settingsOf()).map(({ over }) => over)).toEqual([false]);
    add(windows, 1, 'delivered', { received_at: night }, night);
    expect(judgeSilence(windows, night, settingsOf())).toEqual([]);
  });
});

test('nothing is expected of a source that is new, rare or gone for a week', () => {
  const windows = new MailWindows();
  add(windows, 500, 'delivered', { received_at: AT - 2 * HOUR });
  expect(silent(windows)).toEqual([]);
  const gone = new MailWindows();
  talk(gone, always, 2, 0);
  expect(judgeSilence(gone, AT + 8 * DAY, settingsOf())).toEqual([]);
});

test('when every source is silent, the pipeline is to be looked at', () => {
  const windows = new MailWindows();
  talk(windows, always, 2, 2);
  talk(windows, always, 2, 2, { source: 'second' });
  expect(silent(windows).map(([, , advice]) => advice)).toEqual(['check_pipeline', 'check_pipeline']);
  add(windows, 1, 'delivered', { source: 'second' });
  expect(silent(windows)).toEqual([['main', 120, 'check_webhook']]);
});
