import { expect, test } from 'vitest';
import { decide, type EngineFacts, parseDistribution, systemPath } from './facts.ts';

const bare: EngineFacts = {
  platform: 'linux',
  root: true,
  distribution: { name: 'Debian GNU/Linux 12 (bookworm)', debian: true },
  dockerHost: undefined,
  socket: 'silent',
  missing: ['dockerd', 'iptables'],
};
const fedora = { name: 'Fedora Linux 44', debian: false };

test.each([
  ['on a bare Debian all is installed', {}, ['docker.io', 'iptables']],
  ['only what is missing', { missing: ['iptables'] }, ['iptables']],
  ['nothing when all is there, on any Linux', { missing: [], distribution: fedora }, []],
  ['DOCKER_HOST may name the usual socket', { dockerHost: 'unix:///var/run/docker.sock', missing: [] }, []],
] satisfies [string, Partial<EngineFacts>, string[]][])('starts: %s', (_name, change, packages) => {
  expect(decide({ ...bare, ...change })).toEqual({ do: 'start', packages });
});

test.each([
  ['no root and no Docker', { root: false }, /installed and started by root only/],
  ['no root', { root: false, missing: [] }, /can be started by root only/],
  [
    'another distribution without Docker',
    { distribution: fedora },
    /Fedora Linux 44 lacks dockerd and iptables/,
  ],
  ['another system', { platform: 'darwin', root: false }, /Linux only: install Docker Desktop/],
  ['an engine elsewhere', { dockerHost: 'tcp://build:2375' }, /DOCKER_HOST=tcp:\/\/build:2375/],
  ['a socket that this user may not use', { socket: 'denied', root: false }, /group docker/],
  ['something else at the socket', { socket: 'answers' }, /cannot be used as a container engine/],
] satisfies [string, Partial<EngineFacts>, RegExp][])('refuses in one line: %s', (_name, change, why) => {
  const decision = decide({ ...bare, ...change });
  expect(decision).toEqual({ do: 'refuse', why: expect.stringMatching(why) });
  expect(JSON.stringify(decision)).not.toContain('\\n');
});

test.each([
  ['ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n', 'Debian GNU/Linux 12 (bookworm)', true],
  ['NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian', 'Ubuntu', true],
  ["ID=linuxmint\nID_LIKE='ubuntu debian'\nPRETTY_NAME='Linux Mint 23'", 'Linux Mint 23', true],
  ['ID="rocky"\nID_LIKE="rhel centos fedora"', 'rocky', false],
  ['# debian\nVERSION=debian', 'this system', false],
  ['', 'this system', false],
])('os-release %j', (text, name, debian) => {
  expect(parseDistribution(text)).toEqual({ name, debian });
});

test('the folders of system programs are looked into, once and last', () => {
  expect(systemPath({ PATH: '/sbin:/usr/bin' })).toBe('/sbin:/usr/bin:/usr/local/sbin:/usr/sbin');
  expect(systemPath({})).toBe('/usr/local/sbin:/usr/sbin:/sbin');
});
