import { X509Certificate } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { codeOf, type ErrorCode } from './errors.ts';
import type { Logger } from './telemetry.ts';

export interface TlsPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

const POLL_MS = 2_000;
/** A clock may be set meanwhile. */
const LONGEST_MS = 3_600_000;

/** Certificate and key in files that are renewed from outside. Polled, since they are often replaced by way of links. */
export class TlsFiles {
  readonly #certFile: string;
  readonly #keyFile: string;
  readonly #log: Logger;
  readonly #refusedCode: ErrorCode;
  readonly #pollMs: number;
  #reload: () => void = () => {};
  #expiresAt: number | undefined;
  #again: NodeJS.Timeout | undefined;

  /** `refusedCode` is that of the log line about a pair that cannot be used. */
  constructor(
    files: { readonly certFile: string; readonly keyFile: string },
    log: Logger,
    refusedCode: ErrorCode,
    pollMs: number = POLL_MS,
  ) {
    this.#certFile = files.certFile;
    this.#keyFile = files.keyFile;
    this.#log = log;
    this.#refusedCode = refusedCode;
    this.#pollMs = pollMs;
  }

  /** Throws if a file cannot be read or the two do not belong together. Takes one that has ended as well: that is better than none, and is told by `expiresAt`. */
  read(): TlsPair {
    const { pair, to } = this.#load();
    this.#expiresAt = to;
    return pair;
  }

  #load(): { readonly pair: TlsPair; readonly from: number; readonly to: number } {
    const pair = { cert: readFileSync(this.#certFile), key: readFileSync(this.#keyFile) };
    createSecureContext(pair);
    const chain = chainOf(pair.cert);
    const from = Math.max(...chain.map(({ validFrom }) => Date.parse(validFrom)));
    const to = Math.min(...chain.map(({ validTo }) => Date.parse(validTo)));
    return { pair, from, to };
  }

  /** Of the certificate that was read last and can be used, or of the one above it that ends before. Epoch milliseconds; undefined: none was read yet. */
  get expiresAt(): number | undefined {
    return this.#expiresAt;
  }

  /**
   * Calls back with every new pair that is usable. One that is not (or not yet: two files change one by one) is logged, and so is one that is not valid now,
   * which is taken when it has become so.
   */
  watch(changed: (pair: TlsPair) => void): void {
    this.#reload = () => {
      clearTimeout(this.#again);
      try {
        const { pair, from, to } = this.#load();
        const now = Date.now();
        if (from > now) this.#again = setTimeout(this.#reload, Math.min(from - now, LONGEST_MS)).unref();
        if (from > now || to <= now) {
          const valid = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
          this.#log.error({ code: this.#refusedCode, valid }, 'the TLS certificate is not valid now');
          return;
        }
        this.#expiresAt = to;
        changed(pair);
        this.#log.info('TLS certificate read again');
      } catch (error) {
        this.#log.error(
          { code: this.#refusedCode, cause: codeOf(error) },
          'the TLS certificate cannot be used',
        );
      }
    };
    for (const file of [this.#certFile, this.#keyFile])
      watchFile(file, { interval: this.#pollMs, persistent: false }, this.#reload);
  }

  unwatch(): void {
    clearTimeout(this.#again);
    for (const file of [this.#certFile, this.#keyFile]) unwatchFile(file, this.#reload);
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificate and those above it that are sent with it. Throws if there is none, or one cannot be read. */
function chainOf(pem: Buffer): X509Certificate[] {
  const all = pem.toString('latin1').match(CERTIFICATE);
  if (!all) throw new Error('no certificate in PEM');
  return all.map((one) => new X509Certificate(one));
}
