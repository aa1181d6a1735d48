const HEAD_END = Buffer.from('\r\n\r\n');
const LONGEST_HEAD = 16_384;

/** Reads the answers of one connection on which one request at a time is under way. */
export class Answers {
  private readonly onAnswer: (status: number) => void;
  private head: Buffer = Buffer.alloc(0);
  private status: number | undefined;
  private bodyLeft = 0;

  constructor(onAnswer: (status: number) => void) {
    this.onAnswer = onAnswer;
  }

  /** What came. Throws for what is no answer with a content-length. */
  take(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) rest = this.status === undefined ? this.takeHead(rest) : this.takeBody(rest);
  }

  private takeHead(chunk: Buffer): Buffer {
    const all = this.head.length === 0 ? chunk : Buffer.concat([this.head, chunk]);
    const end = all.indexOf(HEAD_END);
    if (end < 0) {
      if (all.length > LONGEST_HEAD) throw new Error('an answer with a head that does not end');
      this.head = all;
      return Buffer.alloc(0);
    }
    const text = all.toString('latin1', 0, end);
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
    if (Number.isNaN(status)) throw new Error(`no answer of HTTP/1.1: ${text.slice(0, 100)}`);
    const length = /^content-length: *(\d+)/im.exec(text)?.[1];
    if (length === undefined && status !== 204) throw new Error('an answer without a content-length');
    this.head = Buffer.alloc(0);
    this.bodyLeft = Number(length ?? 0);
    this.status = status;
    this.end();
    return all.subarray(end + HEAD_END.length);
  }

  private takeBody(chunk: Buffer): Buffer {
    const taken = Math.min(this.bodyLeft, chunk.length);
    this.bodyLeft -= taken;
    this.end();
    return chunk.subarray(taken);
  }

  private end(): void {
    const { status } = this;
    if (status === undefined || this.bodyLeft > 0) return;
    this.status = undefined;
    this.onAnswer(status);
  }
}
