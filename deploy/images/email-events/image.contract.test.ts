import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { REPOSITORY } from '@email-events/cli/home';
import { createProgram } from '@email-events/cli/program';
import { pipelineConfig, services } from '@email-events/cli/services';
import { defaultAt, variableOf } from '@email-events/core/config';
import type { ServiceDescriptor } from '@email-events/core/service';
import { processOf, SERVICE_NAMES } from '@email-events/dev/run/services';
import { readVersions } from '@email-events/dev/stack/versions';
import { afterAll, describe, expect, test } from 'vitest';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'entry-point-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
// In place of Node: says what it was told.
const node = join(folder, 'node');
writeFileSync(node, '#!/bin/sh\necho "$PWD|$EMAIL_EVENTS_CONFIG|$*"\n');
chmodSync(node, 0o755);

function enter(args: string[], env: { [name: string]: string } = {}) {
  const { status, stdout, stderr } = spawnSync('sh', [here('email-events'), ...args], {
    env: {
      PATH: `${folder}:/usr/bin:/bin`,
      EMAIL_EVENTS_APP: REPOSITORY,
      EMAIL_EVENTS_HOME: '/var/lib/email-events',
      ...env,
    },
    encoding: 'utf8',
  });
  const [, config, line] = stdout.trimEnd().split('\n').at(-1)?.split('|') ?? [];
  const told = line?.replace('--import=./deploy/images/email-events/as-process-1.mjs ', '');
  return { status, out: stdout, err: stderr, config, line, told };
}

describe('the entry point', () => {
  test('each role is what a process of this machine would be', () => {
    for (const name of SERVICE_NAMES) {
      const { status, told = '' } = enter([name, '--port', '1']);
      const { entry, nodeArgs } = processOf(name);
      const line = [...nodeArgs, entry].join(' ');
      expect([status, told.startsWith(`${line} `), told.endsWith(' --port 1')]).toEqual([0, true, true]);
      expect(existsSync(join(REPOSITORY, entry))).toBe(true);
    }
    expect(enter(['receiver']).told).toContain('--host 0.0.0.0 --data-dir /var/lib/email-events/receiver');
  });

  test('every command of operators goes to the command line; options too', async () => {
    for (const command of (await createProgram()).commands.map((found) => found.name())) {
      const { status, told } = enter([command, '--json']);
      expect([status, told]).toEqual([0, `deploy/cli/bin/email-events.mjs ${command} --json`]);
    }
    expect(enter(['--json', 'topics', 'plan']).told).toBe(
      'deploy/cli/bin/email-events.mjs --json topics plan',
    );
    expect(enter(['email-events', 'dlq', 'list']).told).toBe('deploy/cli/bin/email-events.mjs dlq list');
  });

  test('what is neither is told what there is', () => {
    const { status, err } = enter(['ingres']);
    expect(status).toBe(2);
    expect(err).toContain("no role and no command 'ingres'");
    for (const name of SERVICE_NAMES) expect(err).toContain(name);
  });

  test('commands and the role of contributors are not there without their package', () => {
    const app = mkdtempSync(join(folder, 'app-'));
    cpSync(join(REPOSITORY, 'deploy/cli/src'), join(app, 'deploy/cli/src'), { recursive: true });
    const roles = 'deploy/images/email-events/roles';
    cpSync(join(REPOSITORY, roles), join(app, roles));
    for (const name of ['start', 'up', 'down', 'simulate', 'receiver']) {
      const { status, err } = enter([name], { EMAIL_EVENTS_APP: app });
      expect([status, err]).toEqual([2, expect.stringContaining(`no role and no command '${name}'`)]);
      expect(err).not.toContain('sink-crm, receiver');
    }
    expect(enter(['status'], { EMAIL_EVENTS_APP: app }).told).toBe('deploy/cli/bin/email-events.mjs status');
  });

  test('signals mean to process 1 what they mean to others, until somebody handles them', async () => {
    for (const args of [['ingress'], ['topics', 'plan'], ['--help']]) {
      expect(enter(args).line).toMatch(/^--import=\.\/deploy\/images\/email-events\/as-process-1\.mjs /);
    }
    const ended = (code: string) => {
      const { status } = spawnSync(process.execPath, ['--import', here('as-process-1.mjs'), '-e', code]);
      return status;
    };
    const waiting = 'setInterval(() => {}, 1000); process.kill(process.pid, "SIGTERM")';
    expect(ended(waiting)).toBe(143);
    expect(ended(`process.on('SIGTERM', () => process.exit(7)); ${waiting}`)).toBe(7);
    expect(ended(`process.on('SIGINT', () => process.exit(7)); ${waiting}`)).toBe(143);
  });

  test('help names the roles before the commands', () => {
    for (const args of [[], ['--help'], ['help']]) {
      const { out, told } = enter(args);
      expect(out).toContain(SERVICE_NAMES.join(', '));
      expect(told).toMatch(/^deploy\/cli\/bin\/email-events\.mjs (--help|help)$/);
    }
  });

  test('the configuration is the one that is named, and none if there is no file', () => {
    expect(enter(['events'], { EMAIL_EVENTS_CONFIG: '/elsewhere.yaml' }).config).toBe('/elsewhere.yaml');
    expect(enter(['events']).config).toBe('');
  });
});

describe('the Dockerfile', () => {
  const dockerfile = readFileSync(here('Dockerfile'), 'utf8');

  test('exposes the ports that services have by default', () => {
    const { json } = pipelineConfig.schema;
    const ports = services.flatMap(({ section, ports: others = {} }: ServiceDescriptor) =>
      [...Object.keys(others), 'adminPort'].map((key) => defaultAt(json, `${section}.${key}`)),
    );
    expect(dockerfile).toContain(`EXPOSE ${ports.join(' ')}\n`);
  });

  test('has the disk of every service on the volume', () => {
    const disks = (services as readonly ServiceDescriptor[]).flatMap(({ section, disk }) =>
      disk ? [{ variable: variableOf([...section.split('.'), ...disk.field.split('.')]), ...disk }] : [],
    );
    expect(disks.length).toBeGreaterThan(0);
    for (const { variable, name } of disks)
      expect(dockerfile).toContain(`${variable}=/var/lib/email-events/${name}`);
  });

  test('is of the versions that the project names', () => {
    const { version } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8'));
    expect(dockerfile).toContain(`ARG NODE_IMAGE=${readVersions().NODE_IMAGE}\n`);
    expect(dockerfile).toContain(`ARG VERSION=${version}\n`);
  });

  test('copies the manifest of every workspace, without which npm ci refuses', () => {
    const { packages } = JSON.parse(readFileSync(join(REPOSITORY, 'package-lock.json'), 'utf8'));
    const workspaces = Object.keys(packages).filter((path) => path !== '' && !path.includes('node_modules'));
    expect(workspaces.length).toBeGreaterThan(5);
    for (const path of workspaces) expect(dockerfile).toContain(`COPY ${path}/package.json ${path}/\n`);
  });

  test('installs the packages of every workspace that it runs, and is built without that of contributors', () => {
    const [packages = '', services = '', receiver = '', last = ''] = dockerfile.split(/^FROM .*$/m).slice(1);
    const copied = [...services.matchAll(/^COPY (?!--)(\S+)/gm)].map(([, path = '']) => path);
    const folders = new Set(copied.flatMap((path) => /^(.+)\/src$/.exec(path)?.[1] ?? []));
    const installed = [...packages.matchAll(/--workspace=(\S+)/g)].map(([, path = '']) => path);
    expect([...folders].sort()).toEqual(installed.sort());
    expect(services).not.toContain('deploy/dev');
    expect(receiver).toContain('COPY deploy/dev/src/receiver deploy/dev/src/receiver\n');
    // Without a target it is the one for production that comes out.
    expect(dockerfile.match(/^FROM .*$/gm)?.at(-1)).toBe('FROM services');
    expect(last.trim()).toBe('');
  });
});
