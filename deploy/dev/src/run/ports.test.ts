import { describe, expect, test } from 'vitest';
import { chooseLocalPorts, movedPorts, USUAL_PORTS } from './ports.ts';

const free =
  (...taken: number[]) =>
  async (port: number) =>
    !taken.includes(port);

describe('chooseLocalPorts', () => {
  test('the usual ports when they are free', async () => {
    const ports = await chooseLocalPorts({}, free());
    expect(ports).toEqual(USUAL_PORTS);
    expect(movedPorts(ports, {})).toEqual([]);
  });

  test('the next free one otherwise, but none that is usual for something else', async () => {
    // 8081 and 8082 belong to the registry.
    const ports = await chooseLocalPorts({}, free(8080));
    expect(ports.ingress).toBe(8083);
    expect(ports.registry).toBe(8081);
    expect(movedPorts(ports, {})).toEqual(['ingress']);
  });

  test('never the same twice', async () => {
    const ports = await chooseLocalPorts({}, free(9080, 9081, 9082, 9083, 9084, 9092, 9093));
    expect(new Set(Object.values(ports)).size).toBe(Object.keys(USUAL_PORTS).length);
  });

  test('a configured port is taken as it is and not reported as moved', async () => {
    const wishes = { fixed: { ingress: 7000 } };
    const ports = await chooseLocalPorts(wishes, free());
    expect(ports.ingress).toBe(7000);
    expect(movedPorts(ports, wishes)).toEqual([]);
  });

  test('a configured port in use is an error, not another port', async () => {
    const choice = chooseLocalPorts({ fixed: { ingress: 7000 } }, free(7000));
    await expect(choice).rejects.toMatchObject({ code: 'STACK_PORT_TAKEN' });
  });

  test('any ports: none of the usual ones', async () => {
    const ports = await chooseLocalPorts({ any: true }, free(), () => 0);
    const usual: readonly number[] = Object.values(USUAL_PORTS);
    expect(Object.values(ports).filter((port) => usual.includes(port))).toEqual([]);
    expect(new Set(Object.values(ports)).size).toBe(usual.length);
  });

  test('a real port in use is seen', async () => {
    const { createServer } = await import('node:net');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    try {
      await expect(chooseLocalPorts({ fixed: { ingress: port } })).rejects.toMatchObject({
        code: 'STACK_PORT_TAKEN',
      });
    } finally {
      server.close();
    }
  });
});
