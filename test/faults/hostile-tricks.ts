/** Bytes that try to be understood in two ways, or in none, and the answers they must get, in order. */
export interface Trick {
  readonly name: string;
  /** One character a byte. */
  readonly bytes: string;
  /** Each answer's status, or several of which one must come. Nothing: the connection is cut. */
  readonly answers: readonly (number | readonly number[])[];
}

const PATH = '/webhooks/email-events/sendgrid';
const line = (request: string) => `${request}\r\nhost: x\r\n`;
const POST = line(`POST ${PATH} HTTP/1.1`);
const JSON_POST = `${POST}content-type: application/json\r\n`;
/** Would be answered 404 if it were taken for a request of its own. */
const SMUGGLED = `${line('POST /smuggled HTTP/1.1')}content-length: 0\r\n\r\n`;

const chunked = (chunks: string, more = '') =>
  `${JSON_POST}${more}transfer-encoding: chunked\r\n\r\n${chunks}`;
const length = (value: string, body = '') => `${JSON_POST}content-length: ${value}\r\n\r\n${body}`;
const trick = (name: string, bytes: string, ...answers: Trick['answers']): Trick => ({
  name,
  bytes,
  answers,
});

const FRAMING = [
  trick('length and chunks', chunked(`0\r\n\r\n${SMUGGLED}`, 'content-length: 4\r\n'), 400),
  trick(
    'chunks and length',
    `${JSON_POST}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n`,
    400,
  ),
  trick('two lengths', length(`2\r\ncontent-length: ${SMUGGLED.length + 2}`, `[]${SMUGGLED}`), 400),
  trick('a list of lengths', length('2, 2', `[]${SMUGGLED}`), 400),
  trick('a negative length', length('-1', SMUGGLED), 400),
  trick('a signed length', length('+2', `[]${SMUGGLED}`), 400),
  trick('a hexadecimal length', length('0x2', `[]${SMUGGLED}`), 400),
  trick('no number', length('two', SMUGGLED), 400),
  trick('a length beyond 64 bits', length('99999999999999999999', '[]'), 400),
  trick('a length beyond the limit', length('1000000000', '[]'), 413),
  trick('a length that is too short', length('1', '[]\r\nx\r\n\r\n'), 400),
  trick(
    'an encoding of another name',
    `${JSON_POST}transfer-encoding: xchunked\r\n\r\n${SMUGGLED}`,
    415,
    400,
  ),
  trick('chunked, but not last', `${JSON_POST}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n`, 400),
  trick('identity', `${JSON_POST}transfer-encoding: identity\r\n\r\n${SMUGGLED}`, 415, 400),
  trick('chunked twice', chunked('0\r\n\r\n', 'transfer-encoding: chunked\r\n'), [400, 415]),
  trick(
    'a space before the colon',
    `${JSON_POST}transfer-encoding : chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    400,
  ),
  trick('a folded header', `${JSON_POST}transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n`, [400, 401]),
  trick('a tab in the encoding', `${JSON_POST}transfer-encoding:\tchunked\r\n\r\n0\r\n\r\n`, [400, 401]),
  trick('compressed chunks', `${JSON_POST}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, 415),
];

const CHUNKS = [
  trick('a chunk size that is no number', chunked(`zz\r\n[]\r\n0\r\n\r\n${SMUGGLED}`), 400),
  trick('a negative chunk size', chunked('-2\r\n[]\r\n0\r\n\r\n'), 400),
  trick('a chunk size beyond 64 bits', chunked('fffffffffffffffff\r\n[]\r\n0\r\n\r\n'), 400),
  trick('a chunk size with 0x', chunked('0x2\r\n[]\r\n0\r\n\r\n'), 400),
  trick('a chunk longer than it says', chunked(`1\r\n[]\r\n0\r\n\r\n${SMUGGLED}`), 400),
  trick('a huge chunk extension', chunked(`2;${'x'.repeat(20_000)}\r\n[]\r\n0\r\n\r\n`), 400),
  trick('many chunk extensions', chunked(`${'1;a=b\r\n[\r\n'.repeat(5_000)}0\r\n\r\n`), [400, 401]),
  trick('a chunk line that ends with LF', chunked(`2\n[]\r\n0\r\n\r\n${SMUGGLED}`), 400),
  trick('a huge trailer', chunked(`0\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`), [401, 431]),
];

const LINES = [
  trick('HTTP/0.9', `GET ${PATH}\r\n\r\n`, 405),
  trick(
    'HTTP/1.0',
    `POST ${PATH} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]`,
    401,
  ),
  trick('HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400),
  trick('HTTP/9.9', `${line(`POST ${PATH} HTTP/9.9`)}content-length: 0\r\n\r\n`, 400),
  trick('no host', `POST ${PATH} HTTP/1.1\r\ncontent-length: 0\r\n\r\n`, 400),
  trick(
    'an absolute URL',
    `${line(`POST http://y${PATH} HTTP/1.1`)}content-type: application/json\r\ncontent-length: 2\r\n\r\n[]`,
    401,
  ),
  trick('a URL of 20 KB', line(`POST /${'x'.repeat(20_000)} HTTP/1.1`), 431),
  trick(
    'a path with dots',
    `${line(`POST /webhooks/../webhooks/email-events/sendgrid HTTP/1.1`)}content-length: 0\r\n\r\n`,
    404,
  ),
  trick(
    'a broken escape',
    `${line('POST /webhooks/email-events/%zz HTTP/1.1')}content-length: 0\r\n\r\n`,
    400,
  ),
  trick('a zero byte in the path', `${line('POST /webhooks/email-events/send\0grid HTTP/1.1')}\r\n`, 400),
  trick('a zero byte in a header', `${JSON_POST}x: a\0b\r\n\r\n`, 400),
  trick('a lone CR in a header', `${JSON_POST}x: a\rb\r\n\r\n`, 400),
  trick('a name with a space', `${JSON_POST}x y: 1\r\n\r\n`, 400),
  trick('1,000 header lines', `${JSON_POST}${'a: b\r\n'.repeat(1_000)}content-length: 2\r\n\r\n[]`, 431),
  trick('5,000 header lines', `${JSON_POST}${'a: b\r\n'.repeat(5_000)}\r\n`, 431),
  trick('headers of 20 KB', `${JSON_POST}x: ${'y'.repeat(20_000)}\r\n\r\n`, 431),
  trick('TRACE', `${line(`TRACE ${PATH} HTTP/1.1`)}\r\n`, 405),
  trick('OPTIONS *', `${line('OPTIONS * HTTP/1.1')}\r\n`, 404),
  trick('CONNECT', `${line('CONNECT example.com:443 HTTP/1.1')}\r\n`),
  trick(
    'an upgrade',
    `${line(`GET ${PATH} HTTP/1.1`)}connection: upgrade\r\nupgrade: websocket\r\n\r\n`,
    405,
  ),
  trick(
    'an upgrade to HTTP/2',
    `${JSON_POST}connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\n[]`,
    401,
  ),
];

const BODIES = [
  trick(
    'a compressed body',
    `${JSON_POST}content-encoding: gzip\r\ncontent-length: 3\r\n\r\n\x1f\x8b\x08`,
    415,
  ),
  trick('an expectation', `${JSON_POST}expect: 100-continue\r\ncontent-length: 2\r\n\r\n[]`, 100, 401),
  trick(
    'an expectation for nobody',
    `${line('POST /webhooks/email-events/nobody HTTP/1.1')}expect: 100-continue\r\ncontent-length: 9\r\n\r\n`,
    100,
    404,
  ),
  trick('another expectation', `${JSON_POST}expect: miracles\r\ncontent-length: 2\r\n\r\n[]`, 401),
  trick('five at once', `${length('2', '[]')}`.repeat(5), 401, 401, 401, 401, 401),
  trick(
    'after one that is refused unread, nothing more',
    `${length('2', '[]')}${SMUGGLED}`.repeat(2),
    401,
    404,
  ),
  trick('a good one behind a bad one', `${length('-1')}${length('2', '[]')}`, 400),
];

export const TRICKS: readonly Trick[] = [...FRAMING, ...CHUNKS, ...LINES, ...BODIES];
