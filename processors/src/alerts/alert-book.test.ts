import type { Alert } from '@email-events/schemas';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AlertBook } from './alert-book.ts';
import { AT, MINUTE } from './mail.fixture.ts';
import { type Finding, keyOf } from './rules.ts';

const scope = { esp: 'sendgrid', source: 'main', stream: 'news', provider: null };
const finding = (over = true, of: Partial<Finding> = {}): Finding => ({
  ...{
    key: keyOf('bounce_rate', of.level ?? 'warning', scope),
    scope,
    rule: 'bounce_rate',
    level: 'warning',
  },
  ...{
    value: 0.0612,
    threshold: 0.05,
    past: null,
    events: 61,
    of: 997,
    window_from: AT - 60 * MINUTE,
    window_to: AT,
  },
  ...{ advice: 'watch', over, coveredBy: [], calmMs: 15 * MINUTE },
  ...of,
});
const always = () => true;

/** What is told, step by step; a step may be taken by a book that knows only what was told before. */
function run(steps: readonly { found: readonly Finding[]; isRestarted?: boolean }[]) {
  let book = new AlertBook();
  const log: [string, Alert][] = [];
  for (const [index, { found, isRestarted }] of steps.entries()) {
    if (isRestarted) {
      book = new AlertBook();
      for (const [key, alert] of log) book.restore(key, alert);
    }
    const told = book.step(found, AT + index * 5 * MINUTE, always);
    book.take(told, found);
    log.push(...told);
  }
  return log.map(([, alert]) => alert);
}

test('an alert fires once and resolves once', () => {
  const told = run([
    { found: [finding()] },
    { found: [finding()] },
    ...Array.from({ length: 9 }, () => ({ found: [] })),
  ]);
  expect(told.map(({ status }) => status)).toEqual(['firing', 'resolved']);
  const [firing, resolved] = told;
  expect(firing?.alert_id).toMatch(/^[0-9a-f]{32}$/);
  expect(resolved).toMatchObject({
    alert_id: firing?.alert_id,
    started_at: AT,
    resolved_at: AT + 25 * MINUTE,
  });
  expect(firing?.summary).toBe(
    '6.1 % bounces of 997 at source main, stream news (more than 5 %). Look at what is being sent, and to whom.',
  );
  expect(resolved?.summary).toBe('Over after 25 min: bounces of source main, stream news.');
});

test('it does not come and go with a rate about the threshold, and is another one when it comes again', () => {
  const about = [{ found: [finding()] }, { found: [finding(false)] }, { found: [] }, { found: [finding()] }];
  expect(run(about)).toHaveLength(1);
  const calm = Array.from({ length: 5 }, () => ({ found: [] }));
  const ids = run([...about, ...calm, { found: [finding()] }]).map(({ alert_id }) => alert_id);
  expect(ids).toHaveLength(3);
  expect(ids[2]).not.toBe(ids[0]);
});

test('what says more stands for what says less', () => {
  const critical = finding(true, { level: 'critical' });
  const warning = finding(true, { coveredBy: [critical.key] });
  const calm = Array.from({ length: 5 }, () => ({ found: [warning] }));
  expect(
    run([{ found: [critical, warning] }, ...calm]).map(({ level, status }) => `${level} ${status}`),
  ).toEqual(['critical firing', 'critical resolved', 'warning firing']);
});

test('what was not judged stays as it is', () => {
  const book = new AlertBook();
  const silence = finding(true, { rule: 'silence', calmMs: 0 });
  book.take(book.step([silence], AT, always), [silence]);
  expect(book.step([], AT + MINUTE, (rule) => rule !== 'silence').size).toBe(0);
  expect(book.step([], AT + MINUTE, always).size).toBe(1);
});

describe('over restarts', () => {
  test('what is told of a key alternates, whenever an instance begins anew', () => {
    const step = fc.record({
      found: fc.constantFrom([], [finding()], [finding(false)]),
      isRestarted: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const told = run(steps);
        for (const [index, { status, alert_id }] of told.entries()) {
          expect(status).toBe(index % 2 === 0 ? 'firing' : 'resolved');
          if (status === 'resolved') expect(alert_id).toBe(told[index - 1]?.alert_id);
        }
      }),
    );
  });
});
