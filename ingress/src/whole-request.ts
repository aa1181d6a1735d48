import { IncomingMessage } from 'node:http';

/** Takes a body in. */
export interface BodySink {
  data(piece: Buffer): void;
  end(): void;
}

/**
 * A request whose body goes straight to the one who takes it in. As a stream of Node each body is queued, read out of the queue in a later
 * turn, ended and destroyed, in calls put off with `nextTick`, which were a tenth of the CPU of a request; the bodies here are kept whole
 * anyway, and bounded by who keeps them. Node keeps such a request until the next one on its connection, or its end: so nothing of a body may
 * hang on it. Without a sink it is a stream like any other.
 */
export class WholeRequest extends IncomingMessage {
  #sink: BodySink | undefined;

  /** From now on, which must be before Node has read any of the body: while the server's `request` event is dealt with. */
  giveTo(sink: BodySink): void {
    this.#sink = sink;
  }

  /** Node's parser calls it with each piece, and with null at the end. */
  override push(piece: Buffer | null, encoding?: BufferEncoding): boolean {
    const sink = this.#sink;
    if (!sink) return super.push(piece, encoding);
    if (piece !== null) {
      sink.data(piece);
      return true;
    }
    this.#sink = undefined;
    sink.end();
    this.emit('end');
    return false;
  }
}
