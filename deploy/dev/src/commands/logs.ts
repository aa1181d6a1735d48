import {
  type Action,
  Argument,
  Command,
  fromOne,
  InvalidArgumentError,
  onRun,
  time,
} from '@email-events/cli/command';
import { EXIT } from '@email-events/cli/exit-codes';
import { homeFolder, pathsOf } from '@email-events/cli/home';
import { note, printLines } from '@email-events/cli/output';
import { pause } from '@email-events/core';
import pc from 'picocolors';
import { LogFollower, type LogLine, readLogs } from '../run/service-logs.ts';
import { SERVICE_NAMES } from '../run/services.ts';

const POLL_MS = 250;
/** With --since and without --lines. */
const MOST_LINES = 100_000;
const USUAL_LINES = 100;

export function logsCommand(): Command {
  const command = new Command('logs')
    .description('Show what the services of the local pipeline have logged, in one order of time')
    .addArgument(new Argument('[services...]', 'which ones; without: all').choices(SERVICE_NAMES).default([]))
    .option('--since <time>', 'only what was then or later: 10m, or 2026-01-31T08:00Z', time)
    .option('--lines <n>', `the newest so many; without: ${USUAL_LINES}, with --since all`, fromOne)
    .option('--level <level>', 'nothing below: debug, info, warn, error', levelText, 'debug')
    .option('-f, --follow', 'go on with what is logged later, until Ctrl-C', false);
  return onRun<LogsOptions>(
    command,
    logsAction,
    'logs',
    'logs events --follow',
    'logs --since 10m --level warn',
    'logs ingress --json --since 1h',
  );
}

interface LogsOptions {
  readonly since?: number;
  readonly lines?: number;
  readonly level: string;
  readonly follow: boolean;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

function levelText(text: string): string {
  if (LEVELS.includes(text)) return text;
  throw new InvalidArgumentError(`one of ${LEVELS.join(', ')} is needed`);
}

const logsAction: Action<LogsOptions> = async ({ since, lines, level, follow, json }, named) => {
  const { logs: folder } = pathsOf(homeFolder());
  const services = named.length > 0 ? named : SERVICE_NAMES;
  const stop = new AbortController();
  if (follow) process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort());
  // Before the reading: a line that is written meanwhile is shown twice rather than not at all.
  const follower = follow ? new LogFollower({ folder, services }) : undefined;
  const show = async (found: readonly LogLine[]) => {
    const shown = found
      .filter((line) => isAtLeast(line, level))
      .map((line) => (json ? line.text : rendered(line)));
    if (shown.length > 0) await printLines(`${shown.join('\n')}\n`);
  };
  const most = lines ?? (since === undefined ? USUAL_LINES : MOST_LINES);
  const before = await readLogs({ folder, services, since, lines: most });
  if (before.length === 0 && !follow) note(`nothing is in the logs of ${folder}`);
  await show(before);
  while (follower && !stop.signal.aborted) {
    await pause(POLL_MS, stop.signal);
    await show(follower.next());
  }
  follower?.close();
  return EXIT.ok;
};

/** What has none of our levels is shown always: it is what Node says of a crash. */
function isAtLeast({ fields }: LogLine, level: string): boolean {
  const own = LEVELS.indexOf(String(fields?.level));
  return own < 0 || own >= LEVELS.indexOf(level);
}

const COLOURS: { readonly [level: string]: (text: string) => string } = {
  ...{ warn: pc.yellow, error: pc.red, fatal: pc.red, debug: pc.dim },
};

/** Fields that are at the beginning of the line, or in its message. */
const SHOWN = ['time', 'level', 'service', 'msg', 'err'];

function rendered({ service, at, text, fields }: LogLine): string {
  const moment = at > 0 ? new Date(at).toISOString().slice(11, 23) : ' '.repeat(12);
  const level = String(fields?.level ?? '').padEnd(5);
  const head = `${pc.dim(moment)} ${(COLOURS[level.trim()] ?? String)(level)} ${pc.cyan(service.padEnd(15))}`;
  if (!fields) return `${head} ${text}`;
  const more = Object.entries(fields).flatMap(([name, value]) =>
    SHOWN.includes(name) ? [] : [`${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`],
  );
  const { err, msg } = fields as { err?: { message?: string }; msg?: string };
  const cause = err?.message ? [`(${err.message})`] : [];
  return [head, msg ?? '', ...cause, pc.dim(more.join(' '))].join(' ').trimEnd();
}
