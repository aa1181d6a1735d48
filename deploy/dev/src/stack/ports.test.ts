import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { anyPorts, choosePorts } from './ports.ts';

function probe(occupied: readonly number[], random: readonly number[] = []) {
  const left = [...random];
  return {
    isFree: async (port: number) => !occupied.includes(port),
    random: () => left.shift() ?? 30_000,
  };
}

test('any port is one of a range that can be told, so that two programs do not choose the same', () => {
  expect(anyPorts({})).toEqual({ first: 20_000, last: 32_000 });
  expect(anyPorts({ STACK_PORTS: '26000-32000' })).toEqual({ first: 26_000, last: 32_000 });
  for (const wrong of ['26000', '26000-26010', '32000-26000', '80-9000', '60000-70000', 'a-b'])
    expect(() => anyPorts({ STACK_PORTS: wrong })).toThrow(
      expect.objectContaining({ code: 'STACK_PORTS_INVALID' }),
    );
});

test('takes a fixed port, the preferred one, or any free one', async () => {
  const ports = await choosePorts({ a: { fixed: 9092 }, b: { preferred: 8081 }, c: {} }, probe([], [25_000]));
  expect(ports).toEqual({ a: 9092, b: 8081, c: 25_000 });
});

test('refuses a fixed port that is in use or given twice', async () => {
  const taken = expect.objectContaining({ code: 'STACK_PORT_TAKEN' });
  await expect(choosePorts({ a: { fixed: 9092 } }, probe([9092]))).rejects.toEqual(taken);
  await expect(choosePorts({ a: { fixed: 1 }, b: { fixed: 1 } }, probe([]))).rejects.toEqual(taken);
});

test('passes over a preferred port that is in use or fixed for another', async () => {
  const ports = await choosePorts(
    { a: { preferred: 9092 }, b: { preferred: 8123 }, c: { fixed: 9092 } },
    probe([8123], [9092, 8123, 21_000, 21_000, 22_000]),
  );
  expect(ports).toEqual({ a: 21_000, b: 22_000, c: 9092 });
});

test('gives up when nothing is free', async () => {
  await expect(choosePorts({ a: {} }, probe([30_000]))).rejects.toMatchObject({ code: 'STACK_PORT_TAKEN' });
});

test('sees a port that another program listens on', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  try {
    await expect(choosePorts({ a: { fixed: port } })).rejects.toMatchObject({ code: 'STACK_PORT_TAKEN' });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
  expect(await choosePorts({ a: { fixed: port } })).toEqual({ a: port });
});
