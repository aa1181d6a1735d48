import { StackError } from '../errors.ts';
import { isPortTaken } from './engine.ts';
import type { ContainerSpec } from './specs.ts';

/** How a container's start went wrong, as far as it was told. */
export interface StartFailure {
  readonly error: unknown;
  readonly aborted: boolean;
  /** Exit code, if it has ended; 137 is SIGKILL, which also ends what takes too much memory. */
  readonly exitCode: number | undefined;
  readonly logFile: string;
  readonly logTail: string;
}

/** Makes of it what the caller is told, with what to do. */
export function explainStart({ name, image, publish }: ContainerSpec, failure: StartFailure): StackError {
  const { error, aborted, exitCode, logFile, logTail } = failure;
  const options = { cause: error };
  const log = `${logFile} ends with:\n${logTail}`;
  if (aborted) return new StackError('STACK_ABORTED', `${name}: the start was called off`, options);
  if (error instanceof StackError) return error;
  if (exitCode !== undefined) {
    const end = `${name} (${image}) ended while it was starting, with exit code ${exitCode}`;
    return new StackError('STACK_COMPONENT_DIED', `${end}; ${log}`, options);
  }
  const reason = error instanceof Error ? error.message : String(error);
  if (isPortTaken(reason)) {
    const ports = publish.map(({ host }) => host).join(', ');
    const advice = 'stop the other program or configure another port';
    return new StackError('STACK_PORT_TAKEN', `${name}: port ${ports} is in use: ${advice}`, options);
  }
  if (/no such image|does not exist locally/i.test(reason)) {
    const advice = 'it was removed meanwhile: start again';
    return new StackError('STACK_IMAGE_MISSING', `${name}: there is no image ${image}: ${advice}`, options);
  }
  return new StackError('STACK_COMPONENT_DIED', `${name} (${image}) cannot be started: ${reason}`, options);
}

export function timedOut({ name, image, startDeadlineMs }: ContainerSpec, logFile: string, logTail: string) {
  const what = `${name} (${image}) does not answer within ${startDeadlineMs / 1_000} s`;
  return new StackError('STACK_COMPONENT_TIMEOUT', `${what}; ${logFile} ends with:\n${logTail}`);
}
