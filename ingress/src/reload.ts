import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { ConfigError, codeOf, type Logger } from '@email-events/core';
import type { IngressConfig } from './config.ts';
import { checkIngressConfig } from './config-check.ts';
import { buildSources, type Sources } from './sources.ts';

/**
 * On SIGHUP reads the configuration again and takes over its sources (secrets, allow-lists, limits), all or none;
 * what else has changed needs a restart. Returns the function that stops listening.
 */
export function reloadOnHangup(
  reload: () => IngressConfig,
  replace: (sources: Sources) => void,
  log: Logger,
): () => void {
  const onHangup = () => {
    try {
      const config = reload();
      checkIngressConfig(config);
      const { sources } = config;
      replace(buildSources(sources));
      log.info({ sources: Object.keys(sources).length }, 'sources read again');
    } catch (error) {
      const problems = error instanceof ConfigError ? error.problems : undefined;
      log.error(
        { code: 'INGRESS_RELOAD_REFUSED', cause: codeOf(error), problems },
        'the changed configuration cannot be used; the old one stays in force',
      );
    }
  };
  process.on('SIGHUP', onHangup);
  return () => process.off('SIGHUP', onHangup);
}

export interface TlsPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

const POLL_MS = 2_000;

/** Certificate and key in files that are renewed from outside. Polled, since they are often replaced by way of links. */
export class TlsFiles {
  readonly #certFile: string;
  readonly #keyFile: string;
  readonly #log: Logger;
  readonly #pollMs: number;
  #reload: () => void = () => {};

  constructor(files: { certFile: string; keyFile: string }, log: Logger, pollMs: number = POLL_MS) {
    this.#certFile = files.certFile;
    this.#keyFile = files.keyFile;
    this.#log = log;
    this.#pollMs = pollMs;
  }

  /** Throws if a file cannot be read or the two do not belong together. */
  read(): TlsPair {
    const pair = { cert: readFileSync(this.#certFile), key: readFileSync(this.#keyFile) };
    createSecureContext(pair);
    return pair;
  }

  /** Calls back with every new pair that is usable. One that is not (or not yet: two files change one by one) is logged. */
  watch(changed: (pair: TlsPair) => void): void {
    this.#reload = () => {
      try {
        changed(this.read());
        this.#log.info('TLS certificate read again');
      } catch (error) {
        this.#log.error(
          { code: 'INGRESS_RELOAD_REFUSED', cause: codeOf(error) },
          'the TLS certificate cannot be used',
        );
      }
    };
    for (const file of [this.#certFile, this.#keyFile])
      watchFile(file, { interval: this.#pollMs, persistent: false }, this.#reload);
  }

  unwatch(): void {
    for (const file of [this.#certFile, this.#keyFile]) unwatchFile(file, this.#reload);
  }
}
