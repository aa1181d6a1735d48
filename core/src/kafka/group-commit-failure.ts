import { type ErrorCode, PipelineError } from '../errors.ts';

/** A record was not published; it may be there all the same. */
export function failure(code: ErrorCode, cause?: unknown): PipelineError {
  return new PipelineError(
    code,
    'retry',
    'the record was not published',
    cause === undefined ? {} : { cause },
  );
}

/** Rejects with KAFKA_UNREACHABLE after so long. */
export function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(failure('KAFKA_UNREACHABLE')), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
