import { execFileSync, spawnSync } from 'node:child_process';
import type { Command } from '@email-events/cli/command';
import { completionScript, placesOf, SHELLS } from '@email-events/cli/commands/completion';
import { services } from '@email-events/cli/services';
import { expect, test } from 'vitest';
import { createProgram } from './program.ts';

const program = await createProgram();
const places = placesOf(program);

test('every command and every option of the program is at its place', () => {
  const walk = (command: Command, at: string): void => {
    const place = places.find((found) => found.at === at);
    expect(place?.words.map(({ word }) => word)).toEqual(
      expect.arrayContaining(command.commands.map((child) => child.name())),
    );
    const options = command.options.map(({ long }) => long);
    const common = at === '' ? [] : ['--config', '--json', '--verbose'];
    expect(place?.options.map(({ word }) => word)).toEqual(
      expect.arrayContaining([...options, ...common, '--help']),
    );
    for (const child of command.commands) if (child.name() !== 'help') walk(child, `${at} ${child.name()}`);
  };
  walk(program, '');
});

/** Returns the words that bash would offer for the last word, which may be empty. */
function offered(...line: readonly string[]): string[] {
  const script = `${completionScript('bash', places)}
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _email_events; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync('bash', ['--norc', '-c', script, 'bash', ...line], { encoding: 'utf8' });
  return output.split('\n').filter((word) => word !== '');
}

test.each([
  [
    ['email-events', 'd'],
    ['down', 'dlq'],
  ],
  [
    ['npx', 'email-events', 'dlq', ''],
    ['list', 'show', 'replay', 'discard'],
  ],
  [
    ['./node_modules/.bin/email-events', 'dlq', 'list', '--s'],
    ['--stage', '--source', '--since', '--status'],
  ],
  [['email-events', '--verbose', 'tail', 'email.raw', '--m'], ['--max']],
  [
    ['email-events', 'run', 'sink-'],
    services.map(({ name }) => name).filter((name) => name.startsWith('sink-')),
  ],
  [['email-events', 'completion', ''], [...SHELLS]],
  [['email-events', 'dlq', 'list', '--status', 're'], ['replayed']],
  [['email-events', 'help', 'dlq', 'l'], ['list']],
  // Files, which bash completes by itself.
  [['email-events', 'config', 'check', '--config', ''], []],
  [['email-events', 'inspect', ''], []],
  // Another program.
  [['npx', 'vi'], []],
  [['npx', 'vitest', 'd'], []],
])('bash: %j', (line, words) => {
  expect(offered(...line)).toEqual(words);
});

test.each(SHELLS)('%s: the script has every place, and the shell can read it where there is one', (shell) => {
  const script = completionScript(shell, places);
  for (const { at, options } of places) {
    expect(script).toContain(at);
    for (const { word } of options) expect(script).toContain(word.slice(2));
  }
  const { error, status, stderr } = spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' });
  if (!error) expect([status, stderr]).toEqual([0, '']);
});
