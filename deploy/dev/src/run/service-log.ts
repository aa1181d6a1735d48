import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';

/** The log of this run begins anew; that of the last one stays beside it. */
export function keepPreviousLog(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  if (existsSync(file)) renameSync(file, `${file}.1`);
}

/**
 * The last thing it said before it ended: the message and code of its last fatal line, else the error that Node says
 * nobody caught, else its last line.
 */
export function lastReason(file: string): string {
  if (!existsSync(file)) return '';
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-50);
  for (const line of lines.reverse()) {
    const entry = parsed(line);
    if (entry?.level !== 'fatal') continue;
    const problems = entry.problems?.map(({ path, message }) => `${path}: ${message}`).join('; ');
    return [entry.code, entry.msg, problems ?? entry.err?.message].filter(Boolean).join(' ');
  }
  return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines[0] ?? '';
}

interface FatalEntry {
  level?: string;
  code?: string;
  msg?: string;
  problems?: { path: string; message: string }[];
  err?: { message?: string };
}

function parsed(line: string): FatalEntry | undefined {
  try {
    return JSON.parse(line) as FatalEntry;
  } catch {
    return undefined;
  }
}
