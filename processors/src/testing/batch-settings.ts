import type { OperatorAction, Suppression } from '@email-events/schemas';
import type { BatchSettings } from '../events/batch.ts';
import { DEFAULT_POLICY } from '../events/suppression/policy.ts';
import { encoderOf, typedEncoders } from './codecs.ts';

const DAY_MS = 86_400_000;

/** What batches need, as by default, for sources of which nothing is configured. */
export const batchSettings = (): BatchSettings => ({
  softBounces: { threshold: 5, windowMs: 30 * DAY_MS },
  policyOf: () => DEFAULT_POLICY,
  encoders: typedEncoders(),
  suppressionEncoder: encoderOf<Suppression>('suppression'),
  actionEncoder: encoderOf<OperatorAction>('operatorAction'),
  clock: Date.now,
});
