import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { sendOpenLoop } from './client.ts';
import { readRequests } from './requests-file.ts';

// A process by itself, as the servers are. Writes its result as JSON.
const text = { type: 'string', default: '' } as const;
const { values } = parseArgs({
  options: { port: text, file: text, rate: text, seconds: text, connections: text },
});
const result = await sendOpenLoop({
  port: Number(values.port),
  requests: readRequests(readFileSync(values.file)),
  perSecond: Number(values.rate),
  seconds: Number(values.seconds),
  connections: Number(values.connections),
});
process.stdout.write(JSON.stringify(result));
