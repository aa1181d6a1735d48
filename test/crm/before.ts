import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter, join } from 'node:path';
import { REPOSITORY } from '@email-events/cli/home';

/**
 * What `npm run test:crm` does of CRMs before it lets all go wrong for them. No part of `npm test`: a Ghost takes a minute to install, the
 * vendors' types are 84 MB of 16,000 files.
 */
const CHECKS: readonly Check[] = [
  { what: 'types of the vendors', of: ['brevo', 'intercom', 'klaviyo'], passes: agreesWithVendors },
  { what: 'tests against real servers', of: ['ghost'], passes: passesOnServers },
];

interface Check {
  readonly what: string;
  readonly of: readonly string[];
  passes(): Promise<boolean>;
}

/** Makes those that concern one of the CRMs. Returns those that failed. */
export async function checkBefore(kinds: readonly string[], note: (line: string) => void): Promise<string[]> {
  const failed: string[] = [];
  for (const { what, of, passes } of CHECKS) {
    const concerned = kinds.filter((kind) => of.includes(kind));
    if (concerned.length === 0) continue;
    note(`${what}: ${concerned.join(', ')}`);
    if (!(await passes())) failed.push(what);
  }
  return failed;
}

/** Bodies of the adapters' calls, by the types of the vendors' own clients. */
async function agreesWithVendors(): Promise<boolean> {
  const cwd = join(REPOSITORY, 'sinks', 'crm', 'vendor-types');
  return (
    (await succeeds('npm', ['ci', '--loglevel=error'], cwd)) &&
    (await succeeds('tsc', ['--noEmit', '-p', 'tsconfig.json'], cwd))
  );
}

function passesOnServers(): Promise<boolean> {
  return succeeds(process.execPath, [join('test', 'run.ts'), '--project', 'servers'], REPOSITORY);
}

/** What it prints is shown. */
async function succeeds(file: string, args: readonly string[], cwd: string): Promise<boolean> {
  const path = [join(REPOSITORY, 'node_modules', '.bin'), process.env.PATH].join(delimiter);
  // What it says is no part of the result, which is read by others.
  const child = spawn(file, args, { cwd, env: { ...process.env, PATH: path }, stdio: ['ignore', 2, 2] });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code === 0;
}
