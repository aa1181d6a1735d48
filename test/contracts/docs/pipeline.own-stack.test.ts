import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyRepository, type RepositoryCopy } from '../../harness/repository-copy.ts';
import { blocksOf, commandsOf, environmentOfReader, ROOT } from './blocks.ts';
import { commandProblem } from './command-line.test.ts';
import { Terminal } from './terminal.ts';

/** Blocks that need the local pipeline, in order, from `npm start` to Ctrl-C, on the machine's own Node in a fresh copy. */
const SLOW = 200_000;
const BLOCK_MS = 180_000;
/** A dead letter of the documentation. */
const SOME_LETTER = 'email.raw/3/1042/17';

describe('the documentation, as somebody types it', () => {
  let copy: RepositoryCopy;
  let terminal: Terminal;
  let banner = '';

  beforeAll(() => {
    copy = copyRepository();
    // The tools, which are downloaded once for a checkout.
    const tools = join(ROOT, '.email-events', 'tools');
    mkdirSync(tools, { recursive: true });
    symlinkSync(tools, join(copy.folder('.email-events'), 'tools'));
    terminal = new Terminal(copy.root, environmentOfReader(copy.folder('home')), (_, output) =>
      output.includes('Ctrl-C stops everything'),
    );
  });
  afterAll(async () => {
    terminal.kill();
    copy.remove();
  }, SLOW);

  test.for(blocksOf('pipeline'))('$path:$line', { timeout: SLOW }, async ({ body }) => {
    const written = await terminal.run(body.replaceAll(SOME_LETTER, await letterFor(body)), BLOCK_MS);
    if (body === 'npm start') banner = written;
  });

  test('what the start prints to try are commands', () => {
    const lines = [...banner.matchAll(/^ +(npx email-events .+)$/gm)].map(([, line = '']) => line);
    expect(lines.length).toBeGreaterThan(2);
    expect(lines.flatMap((line) => commandsOf(line)).map((words) => commandProblem(words))).toEqual(
      lines.map(() => null),
    );
  });

  test('the link to ClickHouse that it prints answers, with the query that is in it', async () => {
    const page = new URL(/http\S+\/play\S+/.exec(banner)?.[0] ?? '');
    expect((await fetch(page)).status).toBe(200);
    // As the page asks.
    const answer = await fetch(new URL(`/${page.search}`, page), {
      method: 'POST',
      body: `${Buffer.from(page.hash.slice(1), 'base64')} FORMAT JSON`,
    });
    const text = await answer.text();
    expect([answer.status, text]).toEqual([200, expect.stringContaining('"delivered"')]);
    expect(JSON.parse(text).rows).toBeGreaterThan(0);
  });

  test('Ctrl-C stops all of it, in order', { timeout: SLOW }, async () => {
    expect(await terminal.stop()).toContain('stopped; it ran for');
  });

  /** One that is there, for the one that is written. */
  async function letterFor(body: string): Promise<string> {
    if (!body.includes(SOME_LETTER)) return SOME_LETTER;
    const listed = await terminal.run('npx email-events dlq list --status all --json 2>/dev/null', BLOCK_MS);
    const [letter] = (JSON.parse(listed) as { letters: { id: string }[] }).letters;
    if (!letter) throw new Error('there is no dead letter');
    return letter.id;
  }
});
