import type { CommonConfig } from '../common.ts';
import type { Finding } from '../problems.ts';

/** A broker's defaults for group.min.session.timeout.ms and group.max.session.timeout.ms. */
const SHORTEST_SESSION_MS = 6_000;
const LONGEST_SESSION_MS = 1_800_000;

/** Times of the connection to Kafka that do not go together. */
export function timeoutFindings({ kafka }: CommonConfig): Finding[] {
  const { sessionTimeoutMs, connectionTimeoutMs, requestTimeoutMs } = kafka;
  const path = 'kafka.sessionTimeoutMs';
  const found: Finding[] = [];
  if (sessionTimeoutMs < SHORTEST_SESSION_MS || sessionTimeoutMs > LONGEST_SESSION_MS) {
    const message = `brokers take ${SHORTEST_SESSION_MS} to ${LONGEST_SESSION_MS} unless they are told otherwise, and refuse the group member else`;
    found.push({ level: 'warn', path, message });
  }
  if (sessionTimeoutMs <= connectionTimeoutMs) {
    const message =
      'one connection that hangs for kafka.connectionTimeoutMs costs the membership of the group';
    found.push({ level: 'warn', path, message, compared: ['kafka.connectionTimeoutMs'] });
  }
  if (requestTimeoutMs < connectionTimeoutMs) {
    const message = 'shorter than kafka.connectionTimeoutMs: a request is given up before it can be sent';
    const compared = ['kafka.connectionTimeoutMs'];
    found.push({ level: 'warn', path: 'kafka.requestTimeoutMs', message, compared });
  }
  return found;
}
