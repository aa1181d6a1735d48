import { parentPort, workerData } from 'node:worker_threads';
import type { SpooledRecord } from './spool-file.ts';
import type { StoreReply, StoreRequest, StoreSettings, ThreadMessage } from './spool-store.ts';
import { SpoolStore } from './spool-store.ts';

// The thread in which the store waits for the disk, so that the ingress does not have to.

const port = parentPort;
if (!port) throw new Error('this is a thread of the ingress');

const say = (message: ThreadMessage, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);
const store = new SpoolStore({ ...(workerData as StoreSettings), note: (note) => say({ note }) });

port.on('message', ({ id, request }: { id: number; request: StoreRequest }) => {
  const answer = work(request);
  const bodies = answer.batch?.records.map(({ value }) => value.buffer as ArrayBuffer) ?? [];
  say({ id, status: store.status(), ...answer }, bodies);
});

say({ id: 0, status: store.status() });

function work(request: StoreRequest): Pick<StoreReply, 'problem' | 'batch'> {
  switch (request.type) {
    case 'append': {
      const problem = store.append(unpack(request), request.at);
      return problem ? { problem } : {};
    }
    case 'next': {
      const batch = store.next(request.maxRecords, request.maxBytes);
      return batch ? { batch } : {};
    }
    case 'settle':
      store.settle(request.spool, request.published, request.refused);
      return {};
    case 'probe':
      store.probe();
      return {};
    case 'close':
      store.close();
      return {};
  }
}

function unpack({ headers, lengths, bodies }: Extract<StoreRequest, { type: 'append' }>): SpooledRecord[] {
  let end = 0;
  return headers.map((text, i) => {
    const start = end;
    end += lengths[i] ?? 0;
    return { headers: text, value: bodies.subarray(start, end) };
  });
}
