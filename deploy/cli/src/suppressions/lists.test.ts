import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Suppression } from '@email-events/schemas';
import { afterAll, describe, expect, test } from 'vitest';
import { CSV_HEADER, csvOf } from './export.ts';
import { ESP_LISTS, type ListFile, type ListLine, type ListName, linesOf } from './lists.ts';

const dir = mkdtempSync(join(tmpdir(), 'lists-'));
afterAll(() => rmSync(dir, { recursive: true }));

const BY_EMAIL = { list: undefined, columns: { email: 'email' }, scope: undefined } as const;

async function read(text: string, from: Partial<ListFile> = BY_EMAIL): Promise<ListLine[]> {
  const file = join(dir, 'list.csv');
  writeFileSync(file, text);
  const lines: ListLine[] = [];
  for await (const line of linesOf({ ...BY_EMAIL, columns: {}, ...from, file })) lines.push(line);
  return lines;
}
const refusal = (text: string, from?: Partial<ListFile>) =>
  read(text, from).catch(({ code, message }) => [code, message]);
const taken = (line: number, recipient: string, said = '', scope = 'all') => ({
  line,
  recipient,
  said,
  scope,
});

/** A list of each ESP with one line of each kind, and what is taken of it. */
const LISTS: { readonly [list in ListName]: readonly [string, readonly ListLine[]] } = {
  mailgun: [
    'address,tags,created_at\nann@x.org,*,"Fri, 31 Jan 2025 08:00:00 UTC"\nbob@x.org,news,"Fri, 31 Jan 2025 08:00:00 UTC"\n',
    [
      taken(2, 'ann@x.org', 'Fri, 31 Jan 2025 08:00:00 UTC'),
      { line: 3, problem: 'left some mail only: say with --scope which stream is meant' },
    ],
  ],
  postmark: [
    'EmailAddress,SuppressionReason,Origin,CreatedAt\nann@x.org,HardBounce,Recipient,2026-01-31T08:00:00Z\nbob@x.org,ManualSuppression,Recipient,2026-01-31T08:00:00Z\n',
    [
      taken(2, 'ann@x.org', 'HardBounce, 2026-01-31T08:00:00Z'),
      { line: 3, problem: 'left some mail only: say with --scope which stream is meant' },
    ],
  ],
  sendgrid: [
    'status,reason,email,created\n5.1.1,550 no such user,Ann@X.org,1738310400\n',
    [taken(2, 'ann@x.org', '550 no such user, 1738310400')],
  ],
  ses: [
    'EmailAddress,Reason,LastUpdateTime\nann@x.org,BOUNCE,2026-01-31T08:00:00Z\n',
    [taken(2, 'ann@x.org', 'BOUNCE, 2026-01-31T08:00:00Z')],
  ],
  'email-events': [
    `${CSV_HEADER}\nann@x.org,complaint,all,2026-01-31T08:00:00.000Z,ses,main,,e1,abuse,7\n`,
    [taken(2, 'ann@x.org', 'complaint, 2026-01-31T08:00:00.000Z')],
  ],
};

describe('a list of an ESP', () => {
  test.each(Object.keys(ESP_LISTS) as ListName[])('%s is read by the names of its columns', async (list) => {
    const [text, lines] = LISTS[list];
    expect(await read(text, { list, columns: {} })).toEqual(lines);
  });

  test('of which some mail was left is taken for the stream that is named', async () => {
    for (const list of ['mailgun', 'postmark'] as const)
      expect((await read(LISTS[list][0], { list, columns: {}, scope: 'news' }))[1]).toMatchObject({
        recipient: 'bob@x.org',
        scope: 'news',
      });
  });
});

test('a byte order mark, quotes, line ends of any kind, spaces, empty lines and other cases of names change nothing', async () => {
  const text =
    '\ufeff"Email" ,note\r\n" Ann@X.org ","a ""b"", c"\r\n\r\nbob@x.org,"two\nlines"\r\ncid@x.org,\r\n';
  const lines = await read(text);
  expect(lines.map((line) => ('recipient' in line ? [line.line, line.recipient] : line))).toEqual([
    [2, 'ann@x.org'],
    [5, 'bob@x.org'],
    [6, 'cid@x.org'],
  ]);
});

test('a bad line says where and why, and the others are taken', async () => {
  const lines = await read(
    'email,note\nann@x.org,a\nno address,b\nbob@x.org\n"cid@x.org",c\nan"n@x .org,d\ndan@x.org,e\n',
  );
  expect(lines.flatMap((line) => ('recipient' in line ? [line.recipient] : []))).toEqual([
    'ann@x.org',
    'cid@x.org',
    'dan@x.org',
  ]);
  expect(lines.flatMap((line) => ('problem' in line ? [[line.line, line.problem]] : []))).toEqual([
    [3, 'no email address'],
    [4, 'has 1 columns, the header has 2'],
    [6, 'no email address'],
  ]);
});

test('a file is refused from where nobody knows how to read it', async () => {
  const said = (code: string) => [
    'CLI_USAGE',
    expect.stringMatching(new RegExp(`no CSV at line \\d+: ${code}`)),
  ];
  expect(await refusal('email\nann@x.org\n"bob@x.org\ncid@x.org\n', BY_EMAIL)).toEqual(
    said('CSV_QUOTE_NOT_CLOSED'),
  );
  const long = `email\nann@x.org\n${'x'.repeat(70_000)}@x.org\n`;
  expect(await refusal(long, BY_EMAIL)).toEqual(said('CSV_MAX_RECORD_SIZE'));
});

test('a file that cannot be meant is refused as a whole', async () => {
  expect(await refusal('Address,x\nann@x.org,1\n', BY_EMAIL)).toEqual([
    'CLI_USAGE',
    expect.stringContaining('no column email; it has Address, x'),
  ]);
  expect(await refusal('email\nann@x.org\n', { columns: { email: 'email', date: 'when' } })).toEqual([
    'CLI_USAGE',
    expect.stringContaining('no column when'),
  ]);
  expect(await refusal('email\n', { columns: {} })).toEqual([
    'CLI_USAGE',
    expect.stringContaining('--column email=NAME'),
  ]);
  expect(await refusal('', BY_EMAIL)).toEqual(['CLI_USAGE', expect.stringContaining('no header')]);
  await expect(linesOf({ ...BY_EMAIL, file: join(dir, 'none.csv') }).next()).rejects.toMatchObject({
    code: 'CLI_USAGE',
  });
});

describe('what is exported', () => {
  const state = (recipient: string, detail: string): Suppression => ({
    ...{ recipient, suppressed: true, changed_at: 0, event_id: 'e', revision: 7 },
    reasons: [
      {
        reason: 'hard_bounce',
        scope: 'all',
        since: 0,
        esp: 'ses',
        source: 'main',
        event_id: 'e',
        detail,
        account: null,
      },
    ],
  });

  test('is no formula for a spreadsheet, and comes back as it was', async () => {
    const recipients = ['=1+1@x.org', '+ann@x.org', '-bob@x.org', "'cid@x.org", 'dan@x.org'];
    const text = recipients.map((recipient) => csvOf(state(recipient, '=cmd|" /C calc"!A0, \n"'))).join('');
    for (const cell of text.matchAll(/(?:^|,)"?([^,"])/gm)) expect('=+@').not.toContain(cell[1]);
    const lines = await read(`${CSV_HEADER}\n${text}`, { list: 'email-events', columns: {} });
    expect(lines.map((line) => ('recipient' in line ? line.recipient : line))).toEqual(recipients);
  });

  test('has a line for each reason, and none where there is none', () => {
    expect(csvOf({ ...state('ann@x.org', 'a'), reasons: [] })).toBe('');
    expect(csvOf(state('ann@x.org', 'a,"b"'))).toBe(
      'ann@x.org,hard_bounce,all,1970-01-01T00:00:00.000Z,ses,main,,e,"a,""b""",7\n',
    );
  });
});
