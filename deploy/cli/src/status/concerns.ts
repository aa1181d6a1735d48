import { formatCount } from '@email-events/core/wording';
import type { Sample } from '../admin-port.ts';

/** What works now and soon will not, of one service. */
export interface Concern {
  readonly service: string;
  readonly text: string;
  /** It keeps others out already, or what is written may be refused at any moment. */
  readonly urgent: boolean;
}

const CERTIFICATE = 'email_events_certificate_expires_seconds';
const FREE = 'email_events_disk_free_bytes';
const SIZE = 'email_events_disk_size_bytes';
/** As in the alerts (EmailEventsCertificateExpires, EmailEventsDiskFull). */
const CERTIFICATE_DAYS = 14;
const FREE_SHARE = 0.05;
const DAY_S = 86_400;
const MB = 1e6;
/** The year 9999; an address may answer anything. */
const LATEST_S = 253_402_300_799;
const UNKNOWN = 'its metrics do not answer: nobody looked at its certificate and its disk';
/** Below it the next write may fail. */
const FULL_SHARE = 0.01;

/** Out of the metrics of an instance; null: they do not answer. That the instance does not answer at all is told elsewhere. */
export function concernsOf(
  service: string,
  samples: readonly Sample[] | null,
  { readiness }: { readonly readiness: string | null },
  now = Date.now(),
): Concern[] {
  if (samples === null)
    return readiness === null || readiness === 'no answer' ? [] : [{ service, urgent: false, text: UNKNOWN }];
  return samples.flatMap(({ name, labels, value }): Concern[] => {
    if (name === CERTIFICATE) {
      const days = (value - now / 1_000) / DAY_S;
      if (!(Math.abs(value) < LATEST_S))
        return [{ service, urgent: false, text: 'when its certificate ends cannot be read' }];
      const on = new Date(value * 1_000).toISOString().slice(0, 10);
      if (days >= CERTIFICATE_DAYS) return [];
      if (days <= 0)
        return [
          { service, urgent: true, text: `its certificate expired on ${on}: nobody who checks it connects` },
        ];
      const left = days < 1 ? 'within a day' : `in ${Math.floor(days)} days`;
      return [{ service, urgent: false, text: `its certificate expires ${left}, on ${on}` }];
    }
    if (name !== FREE) return [];
    const size = samples.find((one) => one.name === SIZE && one.labels.disk === labels.disk)?.value;
    if (size === undefined || size <= 0 || value / size >= FREE_SHARE) return [];
    const free = `${formatCount(Math.floor(value / MB))} MB, ${Math.floor((value / size) * 100)} %`;
    return [
      { service, urgent: value / size < FULL_SHARE, text: `the disk of its ${labels.disk} has ${free} left` },
    ];
  });
}
