import type { PipelineConfig } from '../load.ts';
import type { Finding } from '../problems.ts';
import { accountFindings } from './accounts.ts';
import { limitFindings } from './limits.ts';
import { portFindings } from './ports.ts';
import { secretFindings } from './secrets.ts';
import { timeoutFindings } from './timeouts.ts';
import { topicFindings } from './topics.ts';
import { transportFindings } from './transport.ts';

/** What no key says by itself: keys that do not go together, and values that work and should be looked at. */
export function findings(config: PipelineConfig): Finding[] {
  return CHECKS.flatMap((check) => check(config));
}

const CHECKS: readonly ((config: PipelineConfig) => Finding[])[] = [
  accountFindings,
  transportFindings,
  secretFindings,
  topicFindings,
  timeoutFindings,
  portFindings,
  limitFindings,
];
