import { KeyObject, randomUUID, X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';

/** Certificate for services that do not share a loopback and therefore serve HTTPS. */
export interface LocalCertificate {
  /** PEM. Signed by itself, so it is also what its clients have to trust. */
  readonly certFile: string;
  readonly keyFile: string;
}

const DAY_MS = 86_400_000;
const VALID_DAYS = 397;
/** It is made anew when it ends sooner than that. */
const SPARE_DAYS = 30;

/**
 * A certificate for these host names and addresses, made once in a folder that only its owner can read, and again when
 * it lacks a name or will end soon.
 */
export async function localCertificate(
  dir: string,
  names: readonly string[],
  now: () => number = Date.now,
): Promise<LocalCertificate> {
  const files = { certFile: join(dir, 'cert.pem'), keyFile: join(dir, 'key.pem') };
  if (existsSync(files.certFile) && existsSync(files.keyFile)) {
    if (serves(new X509Certificate(readFileSync(files.certFile)), names, now())) return files;
  }
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const { cert, key } = await makeCertificate(names, now());
  writePrivate(files.keyFile, key);
  writePrivate(files.certFile, cert);
  return files;
}

/** From now on TLS clients of this thread trust it as they do the system's authorities. */
export function trust({ certFile }: Pick<LocalCertificate, 'certFile'>): void {
  setDefaultCACertificates([...getCACertificates('default'), readFileSync(certFile, 'utf8')]);
}

function serves(certificate: X509Certificate, names: readonly string[], now: number): boolean {
  if (certificate.validToDate.getTime() < now + SPARE_DAYS * DAY_MS) return false;
  return names.every((name) =>
    isIP(name) ? certificate.checkIP(name) !== undefined : certificate.checkHost(name) !== undefined,
  );
}

/**
 * A certificate for these host names and addresses, signed by itself, and its key, as PEM. The library is loaded on demand: most
 * pipelines need no certificate, and one is enough for a year.
 */
export async function makeCertificate(
  names: readonly string[],
  now: number = Date.now(),
): Promise<{ cert: string; key: string }> {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const { subtle } = globalThis.crypto;
  const signing = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await subtle.generateKey(signing, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    // Of two that are trusted under one name, only one is looked at.
    name: `CN=email-events ${randomUUID()}`,
    notBefore: new Date(now - DAY_MS),
    notAfter: new Date(now + VALID_DAYS * DAY_MS),
    signingAlgorithm: signing,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value }) as const),
      ),
    ],
  });
  const key = KeyObject.from(keys.privateKey).export({ format: 'pem', type: 'pkcs8' });
  return { cert: certificate.toString('pem'), key: key.toString() };
}

function writePrivate(path: string, text: string): void {
  const partial = `${path}.partial`;
  writeFileSync(partial, text, { mode: 0o600 });
  chmodSync(partial, 0o600);
  renameSync(partial, path);
}
