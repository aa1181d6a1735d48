import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Block, shBlocks } from './blocks.ts';
import { type Session, sessionOf } from './sessions.ts';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

export interface Document {
  /** From the root of the repository. */
  readonly path: string;
  readonly text: string;
}

/** Every Markdown file of the tree, those that are not committed yet included. The README, which is read first, is first. */
export function readDocuments(): Document[] {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '-z', '*.md'];
  const paths = execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).split('\0');
  return paths
    .filter((path) => path !== '' && existsSync(join(ROOT, path)))
    .sort((a, b) => Number(b === 'README.md') - Number(a === 'README.md') || (a < b ? -1 : 1))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
}

export interface RunnableBlock extends Block {
  readonly path: string;
}

/** The blocks that a test runs in this session, in the order in which somebody reads them. */
export function blocksOf(session: Session): RunnableBlock[] {
  return readDocuments().flatMap(({ path, text }) =>
    shBlocks(text)
      .filter(({ mark, body }) => mark.kind === 'run' && sessionOf(body) === session)
      .map((block) => ({ path, ...block })),
  );
}
