import type { EspRequest } from '@email-events/esps';

/** As it goes over the wire. */
export function wireBytes({ method, url, headers, body }: EspRequest): Buffer {
  const fields = Object.entries({ host: '127.0.0.1', ...headers, 'content-length': String(body.length) });
  const lines = fields.flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}\r\n`]));
  return Buffer.concat([Buffer.from(`${method} ${url} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'), body]);
}

/** Each with its length before it, as 32 bits. */
export function writeRequests(requests: readonly Buffer[]): Buffer {
  return Buffer.concat(
    requests.flatMap((request) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(request.length);
      return [length, request];
    }),
  );
}

export function readRequests(bytes: Buffer): Buffer[] {
  const requests: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) throw new Error('a request that does not end');
    requests.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return requests;
}
