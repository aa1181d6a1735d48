import { spawn } from 'node:child_process';
import { type Measured, stopped } from '../ingress-process.ts';

/** The smallest node:http server that reads, hashes and answers, in a process by itself. */
export function startFloor(header: string, secret: string): Promise<Measured> {
  const program = new URL('floor-server.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [program, header, secret], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the floor ended with ${code}`)));
    child.once('message', ({ port }: { port: number }) =>
      resolve({ pid: child.pid ?? 0, port, stop: () => stopped(child) }),
    );
  });
}
