import type { CommonConfig } from '../common.ts';
import type { Finding } from '../problems.ts';
import { accountFindings } from './accounts.ts';
import { secretFindings } from './secrets.ts';
import { timeoutFindings } from './timeouts.ts';
import { topicFindings } from './topics.ts';
import { transportFindings } from './transport.ts';

export { portFindings, type ServicePort } from './ports.ts';
export { passwordFindings } from './transport.ts';

/** Of the sections that services share: keys that do not go together, and values that work and should be looked at. */
export function commonFindings(config: CommonConfig): Finding[] {
  return CHECKS.flatMap((check) => check(config));
}

const CHECKS: readonly ((config: CommonConfig) => Finding[])[] = [
  accountFindings,
  transportFindings,
  secretFindings,
  topicFindings,
  timeoutFindings,
];
