import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { topics } from '@email-events/schemas';
import { afterAll, describe, expect, test } from 'vitest';
import { renderCheck } from './commands/config.ts';
import { renderGroups, renderLetters, renderPlan, renderStory } from './commands/dlq-render.ts';
import { renderGroups as renderMarks } from './commands/marks.ts';
import { renderGroups as renderHeld, renderRelease } from './commands/quarantine.ts';
import { renderSubjects } from './commands/schemas.ts';
import { renderLocal, renderUrls } from './commands/status.ts';
import { renderReasons, renderStory as renderSuppression } from './commands/suppressions-render.ts';
import { renderRecord } from './commands/tail.ts';
import { renderPlan as renderTopics } from './commands/topics.ts';
import { renderTable } from './output.ts';
import { describeFailure } from './run-program.ts';
import { forTerminal } from './terminal.ts';
import { runBin } from './testing.ts';

// Text from an ESP, a mail server or a server of the stack may be an attack on the operator's terminal.

const HOSTILE = 'x\u001b[8m\u001b[2J\u001b]0;t\u0007\u009b2J\u202e\u2066\u0000\r\u007f\ud800\nFORGED';
const AT = Date.UTC(2026, 0, 2);

const letter = {
  ...{ id: HOSTILE, stage: HOSTILE, code: HOSTILE, message: HOSTILE, note: HOSTILE, esp: HOSTILE },
  ...{ source: HOSTILE, requestId: HOSTILE, topic: HOSTILE, record: HOSTILE, item: 0 },
  ...{ status: 'open', attempts: 1, replays: 1, firstAt: AT, lastAt: AT, statusAt: AT, at: {} },
} as never;
const shown = (content: unknown) => ({ bytes: 1, encoding: 'utf8', content }) as const;
const group = { ...{ stage: HOSTILE, code: HOSTILE, esp: HOSTILE }, status: 'open', letters: 1 } as const;
const times = { firstAt: HOSTILE, lastAt: HOSTILE };
const reason = {
  ...{ reason: HOSTILE, scope: HOSTILE, since: AT, esp: HOSTILE, source: HOSTILE, account: HOSTILE },
  ...{ event_id: HOSTILE, detail: HOSTILE, recipient: HOSTILE },
} as never;
const record = { partition: 0, offset: 1n, timestamp: '2026-01-02T03:04:05.006Z', key: HOSTILE };
const event = { esp: HOSTILE, recipient: HOSTILE, diagnostic: HOSTILE, url: HOSTILE, campaign: HOSTILE };

/** Human output of what commands show of the outside, each text in it hostile. */
const OUTPUTS: { readonly [command: string]: () => string | Promise<string> } = {
  'dlq list': () => renderLetters([letter]),
  'dlq list --group': () => renderGroups([{ ...group, ...times }]),
  'dlq replay': () =>
    renderPlan({
      ...{ dryRun: false, status: 'replayed', records: 1, letters: 1, superseded: 1 },
      groups: [{ ...group, ...times }],
      problems: [{ id: HOSTILE, stage: HOSTILE, problem: HOSTILE }],
    }),
  'tail of an event': () => renderRecord({ ...record, topic: topics.events('bounced'), value: event }, 9),
  'tail of a request': () => renderRecord({ ...record, topic: topics.raw, value: { body: HOSTILE } }, 9),
  'tail of what cannot be decoded': () =>
    renderRecord({ ...record, topic: topics.raw, value: '', problem: HOSTILE }, 9),
  'schemas check': () =>
    renderSubjects(
      [{ subject: HOSTILE, action: 'unchanged', versions: 1, levelChanged: false } as never],
      [{ subject: HOSTILE, code: 'SCHEMA_INCOMPATIBLE', message: HOSTILE, details: [HOSTILE] } as never],
    ),
  'topics plan': () =>
    renderTopics(
      { actions: [{ topic: HOSTILE, kind: 'problem', message: HOSTILE }], changes: 0, problems: 1 } as never,
      'to do',
    ),
  status: () =>
    renderLocal({
      ...{ ready: false, phase: 'running', startedAt: '2026-01-02T03:04:05.000Z', pid: 1, counts: null },
      components: [{ name: HOSTILE, state: 'running', address: HOSTILE }],
      services: [
        {
          ...{ name: HOSTILE, state: 'running', readiness: 'degraded', problems: { [HOSTILE]: HOSTILE } },
          ...{ partitions: { [HOSTILE]: HOSTILE }, lag: null, restarts: 0 },
          ...{ adminUrl: HOSTILE, logFile: HOSTILE },
        },
      ],
      sources: [
        {
          ...{ name: HOSTILE, esp: HOSTILE, lastAcceptedAt: null },
          sinceStart: { accepted: 0, refused: { [HOSTILE]: 1 } },
          recent: { accepted: 0, refused: { [HOSTILE]: 1 } },
        },
      ],
      ...{ recentSeconds: 300, spool: null, ingresses: { asked: 1, told: 1 }, onlyRefused: [HOSTILE] },
      accounting: {
        sources: [{ name: HOSTILE, published: 1, read: 1, putBack: 0, normalized: 1, deadLetters: 0 }],
        ...{ normalized: 1, handedOver: 1, received: 1, emitted: 1, duplicates: 0, deadLetters: 0 },
        ...{ atRest: true, wrong: [HOSTILE] },
      },
      concerns: [{ service: HOSTILE, text: HOSTILE, urgent: true }],
    } as never),
  'quarantine list': () =>
    renderHeld([
      {
        ...{ source: HOSTILE, code: HOSTILE, held: 1, released: 0, bytes: 1, oldestAt: AT, newestAt: AT },
      },
    ]),
  'quarantine release': () =>
    renderRelease({ released: 1, refused: { [HOSTILE]: 1 }, expired: 1, bySource: { [HOSTILE]: 1 } }, false),
  'status --urls': () => renderUrls({ webhooks: { [HOSTILE]: HOSTILE } } as never),
  'config check': () =>
    renderCheck(HOSTILE, [{ path: HOSTILE, message: HOSTILE }], [{ path: HOSTILE, message: HOSTILE }]),
  'suppressions get': () =>
    renderSuppression({
      recipient: HOSTILE,
      state: { suppressed: true, reasons: [reason], changed_at: AT, event_id: HOSTILE } as never,
      actions: [
        { kind: 'lift', at: AT, by: HOSTILE, why: HOSTILE, reason: HOSTILE, scope: HOSTILE } as never,
      ],
    }),
  'suppressions list': () => renderReasons([reason]),
  'marks list': () =>
    renderMarks([
      {
        ...{ source: HOSTILE, mark: HOSTILE, by: HOSTILE, why: HOSTILE, marks: 1, inForce: 1 },
        ...{ firstAt: AT, lastAt: AT },
      } as never,
    ]),
  'any table': () => renderTable(['a'], [[HOSTILE]]),
};

test.each(Object.entries(OUTPUTS))('%s shows no sequence and no line of a payload', async (_, render) => {
  const text = await render();
  expect(text).toContain('\\x1b');
  expect(forTerminal(text)).toBe(text);
  expect(text).not.toMatch(/^FORGED/m);
});

test('dlq show: lines of a payload are lines, and nothing else of it is obeyed', async () => {
  const text = await renderStory([
    {
      ...{ letter, recordedAt: AT, history: [letter, letter] },
      ...{ item: shown(HOSTILE), key: shown(HOSTILE), value: shown({ [HOSTILE]: [HOSTILE] }) },
      headers: { [HOSTILE]: shown(HOSTILE) },
    },
  ]);
  expect(forTerminal(text)).toBe(text);
  // In the item, the key and the header; what is told in one line stays there.
  expect(text.match(/^FORGED$/gm)).toHaveLength(3);
});

test('what an error quotes is shown, not obeyed, also as JSON', () => {
  const error = Object.assign(new Error(HOSTILE), { code: 'KAFKA_UNREACHABLE' });
  for (const json of [false, true]) {
    const text = describeFailure(error, { json, verbose: true });
    expect(forTerminal(text)).toBe(text);
  }
});

describe('the real command line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hostile-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string, value: unknown) => {
    const path = join(folder, name);
    writeFileSync(path, JSON.stringify(value));
    return path;
  };
  const bounce = { type: 'bounced', recipient: 'a@b.example', occurred_at: AT, diagnostic: HOSTILE };

  test.each([
    [
      'inspect',
      () => [
        'inspect',
        file('request.json', { body: JSON.stringify(bounce) }),
        '--config',
        open(),
        '--source',
        'open',
      ],
    ],
    [
      'config check',
      () => [
        'config',
        'check',
        '--config',
        file('bad.yaml', { [HOSTILE]: 1, sources: { [HOSTILE]: { esp: HOSTILE } } }),
      ],
    ],
    [
      'config check --json',
      () => ['config', 'check', '--json', '--config', file('bad.yaml', { [HOSTILE]: 1 })],
    ],
    ['a wrong argument', () => ['dlq', 'show', 'no\u001b[2Jid\u009b']],
    ['an unknown command', () => ['no\u001b[2Jcommand']],
  ])('%s', async (_, args) => {
    const { out, err } = await runBin(args());
    expect(`${out}${err}`).toMatch(/\\(x1b|u001b)/);
    expect(forTerminal(out + err)).toBe(out + err);
  });

  function open() {
    return file('open.yaml', { sources: { open: { esp: 'standard-webhooks', verification: 'none' } } });
  }
});

/** Programs of their own, which carry nothing from outside. */
const WRITE_THEMSELVES = [
  'cli/src/output.ts',
  'dev/src/stack/run.ts',
  'dev/src/stack/progress.ts',
  'dev/src/stack/local/clickhouse-server.ts',
];

test('nothing else writes to the terminal', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
    (name) => /^(cli|dev)\/src\/.*\.ts$/.test(name) && !/\.(test|fixture)\.ts$/.test(name),
  );
  const writers = files.filter((name) =>
    /process\.std(out|err)\.write\(|\bconsole\.\w+\(/.test(readFileSync(join(root, name), 'utf8')),
  );
  expect(files.length).toBeGreaterThan(100);
  expect(writers.sort()).toEqual([...WRITE_THEMSELVES].sort());
});
