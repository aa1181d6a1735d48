import type { PipelineConfig } from '../load.ts';
import type { Finding } from '../problems.ts';

/** Bodies that are allowed and would find no room. */
export function limitFindings({ ingress, sources }: PipelineConfig): Finding[] {
  const { maxInFlightBytes, spool } = ingress;
  return Object.entries(sources).flatMap(([name, { maxBodyBytes }]) => {
    const path = `sources.${name}.maxBodyBytes`;
    const found: Finding[] = [];
    // What an ESP sends at most, only the ingress knows (see its config-check.ts).
    if (maxBodyBytes === undefined) return found;
    if (maxBodyBytes > maxInFlightBytes) {
      const message = `a body of ${maxBodyBytes} bytes never fits into ingress.maxInFlightBytes (${maxInFlightBytes}): it would be told to come again for ever`;
      found.push({ level: 'refuse', path, message, compared: ['ingress.maxInFlightBytes'] });
    }
    if (spool.enabled && maxBodyBytes > spool.maxBytes) {
      const message = `a body of ${maxBodyBytes} bytes never fits into ingress.spool.maxBytes (${spool.maxBytes})`;
      const compared = ['ingress.spool.maxBytes', 'ingress.spool.enabled'];
      found.push({ level: 'refuse', path, message, compared });
    }
    return found;
  });
}
