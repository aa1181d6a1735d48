import {
  ConfigError,
  type ConfigProblem,
  DELIVERED,
  isSigningSecret,
  SIGNING_SECRET_EXPECTED,
  type Sink,
  type SinkVerdict,
  webhookSigner,
} from '@email-events/core';
import type { Alert } from '@email-events/schemas';
import { ABSENT, type AlertsConfig, type AlertsSettings } from './config.ts';

/** Judges what a schema cannot, of a pipeline that has alerts. Throws ConfigError with all that is wrong. */
export function checkAlerts({ alerts }: AlertsConfig): readonly ConfigProblem[] {
  const http = alerts?.http;
  if (!http) return [];
  const path = 'alerts.http.secrets';
  const problems: ConfigProblem[] = http.secrets.flatMap((secret, i) =>
    isSigningSecret(secret.reveal()) ? [] : [{ path: `${path}.${i}`, message: SIGNING_SECRET_EXPECTED }],
  );
  if (http.secrets.length === 0) problems.push({ path, message: 'at least one is needed to sign with' });
  if (problems.length > 0) throw new ConfigError(problems);
  return [];
}

type Settings = NonNullable<AlertsSettings['http']>;

/**
 * Posts alerts as JSON, signed as Standard Webhooks have it. At least once: the receiver tells repetitions by `webhook-id`, which is the
 * same for every attempt to tell that an alert fires, and another when it is over.
 */
export function alertsHttpSink({ url, secrets, timeoutMs }: Settings, now: () => number): Sink<Alert> {
  const sign = webhookSigner(secrets);
  const post = async (alert: Alert, signal: AbortSignal): Promise<SinkVerdict> => {
    const body = JSON.stringify(alert);
    const headers = { 'content-type': 'application/json', ...sign(webhookId(alert), body, now()) };
    let response: Response;
    try {
      response = await fetch(url, {
        ...{ method: 'POST', headers, body, redirect: 'manual' },
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
    } catch {
      signal.throwIfAborted();
      return { outcome: 'retry', code: 'ALERTS_HTTP_UNREACHABLE' };
    }
    await response.body?.cancel().catch(() => {});
    return verdictOf(response.status);
  };
  return {
    name: 'alerts-http',
    byRecord: true,
    // Only a real call can tell, and that would be an alert.
    check: async () => {},
    async write({ records }, signal) {
      const verdicts: SinkVerdict[] = [];
      // One after the other: that an alert is over comes behind it.
      for (const { value } of records) {
        const last = verdicts.at(-1);
        verdicts.push(last?.outcome === 'retry' ? last : value ? await post(value, signal) : DELIVERED);
      }
      return verdicts;
    },
    close: async () => {},
  };
}

export const webhookId = ({ alert_id, status }: Alert) => `alert_${alert_id}_${status}`;

/** Answers that say that this very body is no good. All others may be mended at the receiver, and an alert is worth waiting. */
const REJECTED = [400, 413, 422];

function verdictOf(status: number): SinkVerdict {
  if (status >= 200 && status < 300) return DELIVERED;
  if (!REJECTED.includes(status)) return { outcome: 'retry', code: 'ALERTS_HTTP_REFUSED' };
  return { outcome: 'dead-letter', code: 'ALERTS_HTTP_REJECTED', message: `the receiver answered ${status}` };
}

/** The section `alerts`. Throws ConfigError where there is none. */
export function alertsSettings({ alerts }: AlertsConfig): AlertsSettings {
  if (alerts) return alerts;
  throw new ConfigError([{ path: 'alerts', message: ABSENT }]);
}
