const LINE_FEED = 0x0a;

/**
 * Lines of a byte stream, split at line feeds only: JSON may hold U+2028, at which node:readline would split too.
 * Blank lines are left out, as is a carriage return at the end.
 */
export async function* linesOf(input: AsyncIterable<Buffer | string>): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  for await (const chunk of input) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    let start = 0;
    for (let end = bytes.indexOf(LINE_FEED); end !== -1; end = bytes.indexOf(LINE_FEED, start)) {
      const line = textOf([...rest, bytes.subarray(start, end)]);
      rest = [];
      start = end + 1;
      if (line !== '') yield line;
    }
    if (start < bytes.length) rest.push(bytes.subarray(start));
  }
  const last = textOf(rest);
  if (last !== '') yield last;
}

const textOf = (parts: readonly Buffer[]) => Buffer.concat(parts).toString('utf8').trim();
