import { statfsSync } from 'node:fs';
import { Gauge, type Registry } from './telemetry.ts';
import type { TlsFiles } from './tls-files.ts';

/** Of the disk under a folder that a service keeps. No value while the system does not tell. */
export function measureDisk(metrics: Registry, disk: 'state' | 'spool', folder: string): void {
  const figure = (
    name: string,
    help: string,
    of: (blocks: { readonly bavail: number; readonly blocks: number }) => number,
  ) =>
    new Gauge({
      name,
      help,
      labelNames: ['disk'],
      registers: [metrics],
      // Each worker sees the same disk.
      aggregator: 'min',
      collect() {
        this.reset();
        try {
          const found = statfsSync(folder);
          this.set({ disk }, of(found) * found.bsize);
        } catch {
          // The folder is made when it is first needed.
        }
      },
    });
  figure(
    'email_events_disk_free_bytes',
    'Bytes that the service may still write on the disk of its folder: state (events.stateDir), spool (ingress.spool.dir).',
    ({ bavail }) => bavail,
  );
  figure('email_events_disk_size_bytes', 'Bytes of that disk in all.', ({ blocks }) => blocks);
}

/** Of the certificate with which a service answers, as it was read last. Undefined: it serves no TLS itself. */
export function measureCertificate(metrics: Registry, tls: Pick<TlsFiles, 'expiresAt'> | undefined): void {
  new Gauge({
    name: 'email_events_certificate_expires_seconds',
    help: 'When the certificate of the service expires, in epoch seconds. No value where it serves no TLS itself.',
    labelNames: ['certificate'],
    registers: [metrics],
    aggregator: 'min',
    collect() {
      this.reset();
      const at = tls?.expiresAt;
      if (at !== undefined) this.set({ certificate: 'server' }, at / 1_000);
    },
  });
}
