import { type KeyObject, webcrypto } from 'node:crypto';

/**
 * A self-signed certificate for a signing key: what Amazon publishes for SNS, made here. Subject as SNS uses it.
 * The library is loaded on demand, because it is needed once per installation only.
 */
export async function selfSignedCertificate(
  keys: { readonly privateKey: KeyObject; readonly publicKey: KeyObject },
  commonName: string,
): Promise<string> {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const pkcs8 = keys.privateKey.export({ format: 'der', type: 'pkcs8' });
  const spki = keys.publicKey.export({ format: 'der', type: 'spki' });
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: `CN=${commonName}`,
      notBefore: new Date('2020-01-01T00:00:00Z'),
      notAfter: new Date('2049-12-31T00:00:00Z'),
      signingAlgorithm: algorithm,
      keys: {
        privateKey: await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']),
        publicKey: await webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']),
      },
      extensions: [new x509.BasicConstraintsExtension(false, undefined, true)],
    },
    webcrypto as never,
  );
  return certificate.toString('pem');
}
