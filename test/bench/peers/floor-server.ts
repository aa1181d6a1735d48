import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

// The least that Node can do for a signed request: read it, hash it, answer it. Nothing is kept and nothing bounded, so no
// service could be like this; what a request costs here no service on Node can do without. Arguments: header, secret.
const [header = '', secret = ''] = process.argv.slice(2);

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    const made = createHmac('sha256', secret).update(body).digest();
    const sent = Buffer.from(String(request.headers[header]), 'hex');
    const genuine = sent.length === made.length && timingSafeEqual(sent, made);
    response.writeHead(genuine ? 200 : 401, { 'content-length': '0' });
    response.end();
  });
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
