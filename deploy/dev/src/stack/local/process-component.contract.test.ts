import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { ComponentExit } from '../stack.ts';
import { watchProcesses } from '../watchdog.ts';
import { ProcessComponent } from './process-component.ts';

/** A component whose whole program is this text. It answers once the program has connected to the test. */
async function componentOf(program: string) {
  const folder = mkdtempSync(join(tmpdir(), 'process-component-'));
  const connected = createServer((socket) => socket.on('error', () => {}));
  let starts = 0;
  connected.on('connection', () => starts++);
  connected.listen(0, '127.0.0.1');
  await once(connected, 'listening');
  const address = connected.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const watchdog = watchProcesses();
  let wanted = 0;
  const script = `${program}; require('node:net').connect(${port}, '127.0.0.1').on('error', () => {});`;
  const component = new ProcessComponent(
    {
      ...{ name: 'registry', file: process.execPath, cwd: folder, logFile: join(folder, 'log') },
      args: () => {
        wanted = starts + 1;
        return ['-e', script];
      },
      answers: async () => starts >= wanted,
      startDeadlineMs: 60_000,
      stopDeadlineMs: 60_000,
    },
    watchdog,
  );
  const exits: ComponentExit[] = [];
  component.onExit((exit) => exits.push(exit));
  onTestFinished(async () => {
    await component.kill();
    await watchdog.close();
    connected.close();
    rmSync(folder, { recursive: true });
  });
  return { component, exits, log: () => readFileSync(join(folder, 'log'), 'utf8') };
}

test('is started, frozen, woken, stopped and killed; such ends are told to nobody', async () => {
  const { component, exits } = await componentOf('setInterval(() => {}, 1000)');
  await component.start();
  expect(component).toMatchObject({ state: 'running', pid: expect.any(Number) });
  await expect(component.start()).rejects.toMatchObject({ code: 'STACK_COMPONENT_STATE' });
  await expect(component.resume()).rejects.toMatchObject({ code: 'STACK_COMPONENT_STATE' });
  await component.pause();
  expect(component.state).toBe('paused');
  await component.resume();
  await component.pause();
  await component.stop();
  expect(component).toMatchObject({ state: 'stopped', pid: undefined });
  await component.start();
  await component.pause();
  await component.kill();
  await component.restart();
  expect(component.state).toBe('running');
  expect(exits).toEqual([]);
});

test('listeners hear of an end that was not asked for', async () => {
  const { component, exits } = await componentOf('setInterval(() => {}, 1000)');
  await component.start();
  const ended = new Promise((resolve) => component.onExit(resolve));
  process.kill(component.pid ?? 0, 'SIGKILL');
  await ended;
  expect(exits).toEqual([{ code: null, signal: 'SIGKILL' }]);
  expect(component.state).toBe('stopped');
});

test('one that ends while it starts is told by the start alone, with the end of its log', async () => {
  const { component, exits } = await componentOf(`console.log('no disk'); process.exit(3)`);
  await expect(component.start()).rejects.toMatchObject({
    code: 'STACK_COMPONENT_DIED',
    message: expect.stringContaining('no disk'),
  });
  expect([component.state, exits]).toEqual(['stopped', []]);
});
