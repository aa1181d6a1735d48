import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from '@email-events/cli/home';
import { services } from '@email-events/cli/services';
import { variableOf } from '@email-events/core/config';
import type { ServiceDescriptor } from '@email-events/core/service';
import { expect, onTestFinished, test } from 'vitest';

const unit = readFileSync(join(REPOSITORY, 'deploy', 'systemd', 'email-events@.service'), 'utf8');
const valuesOf = (key: string) =>
  [...unit.matchAll(/^(\w+)=(.*)$/gm)].flatMap(([, name, value = '']) => (name === key ? [value] : []));
const analyzer = spawnSync('systemd-analyze', ['--version']).status === 0;

test.runIf(analyzer)('systemd finds nothing wrong with the unit, and little that is exposed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'email-events-systemd-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'email-events@.service');
  writeFileSync(file, unit.replaceAll('/opt/email-events', REPOSITORY));
  const verified = spawnSync('systemd-analyze', ['verify', '--recursive-errors=no', file], {
    encoding: 'utf8',
  });
  expect({ status: verified.status, said: verified.stderr }).toEqual({ status: 0, said: '' });
  // 10 is everything, 0 nothing.
  const security = ['security', '--offline=true', '--threshold=25', '--no-pager', file];
  expect(spawnSync('systemd-analyze', security).status).toBe(0);
});

test('disks are those that the services name, and a stop has the time that it may take', () => {
  const disks = (services as readonly ServiceDescriptor[]).flatMap(({ section, disk }) =>
    disk
      ? [
          `${variableOf([...section.split('.'), ...disk.field.split('.')])}=/var/lib/email-events/${disk.name}`,
        ]
      : [],
  );
  expect(disks.length).toBeGreaterThan(0);
  expect(valuesOf('Environment')).toEqual(expect.arrayContaining(disks));
  expect(valuesOf('StateDirectory')).toEqual(['email-events']);
  expect(Number(valuesOf('TimeoutStopSec')[0])).toBeGreaterThan(30);
});

test('the command starts every service', () => {
  const [start = ''] = valuesOf('ExecStart');
  const [program = '', ...args] = start.split(' ');
  expect(program.replace('/opt/email-events', '')).toBe('/node_modules/.bin/node');
  const help = execFileSync(process.execPath, [...args.slice(0, 2), '--help'], {
    cwd: REPOSITORY,
    encoding: 'utf8',
  });
  for (const { name } of services) expect(help).toContain(`  ${name} `);
  expect(args.at(-1)).toBe('%i');
});
