import 'reflect-metadata';
import { KeyObject, webcrypto } from 'node:crypto';
import {
  ExtendedKeyUsageExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** A self-signed certificate for HTTPS on 127.0.0.1, with its key, as PEM. */
export async function serverCertificate(serial: string): Promise<{ cert: string; key: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial,
      name: 'CN=127.0.0.1',
      notBefore: new Date(Date.now() - 86_400_000),
      notAfter: new Date(Date.now() + 86_400_000),
      signingAlgorithm: algorithm,
      keys: keys as never,
      extensions: [
        new SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }]),
        new ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1']),
      ],
    },
    webcrypto as never,
  );
  const key = KeyObject.from(keys.privateKey as never).export({ format: 'pem', type: 'pkcs8' });
  return { cert: certificate.toString('pem'), key: String(key) };
}
