import type { PipelineConfig } from '../load.ts';
import type { Finding } from '../problems.ts';

/** group.min.session.timeout.ms and group.max.session.timeout.ms of a broker that says nothing else. */
const SHORTEST_SESSION_MS = 6_000;
const LONGEST_SESSION_MS = 1_800_000;

/** Times that do not go together. */
export function timeoutFindings({ kafka, ingress }: PipelineConfig): Finding[] {
  return [...sessionFindings(kafka), ...ingressFindings(ingress)];
}

function sessionFindings(kafka: PipelineConfig['kafka']): Finding[] {
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

function ingressFindings(ingress: PipelineConfig['ingress']): Finding[] {
  const { headersTimeoutMs, requestTimeoutMs, publishTimeoutMs, spool } = ingress;
  const found: Finding[] = [];
  if (headersTimeoutMs > requestTimeoutMs) {
    const message = 'longer than ingress.requestTimeoutMs, which the headers are part of: that one holds';
    const compared = ['ingress.requestTimeoutMs'];
    found.push({ level: 'warn', path: 'ingress.headersTimeoutMs', message, compared });
  }
  if (spool.enabled && spool.afterMs >= publishTimeoutMs) {
    const message =
      'not before ingress.publishTimeoutMs: requests would be answered "later" and never be spooled';
    const compared = ['ingress.publishTimeoutMs', 'ingress.spool.enabled'];
    found.push({ level: 'refuse', path: 'ingress.spool.afterMs', message, compared });
  }
  return found;
}
