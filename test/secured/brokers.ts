import { pbkdf2Sync, randomBytes, randomUUID, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificate } from '@email-events/dev/certificates';
import { choosePorts, type SecuredBrokers } from '@email-events/dev/stack';
import { ask, DecoderClass, EncoderClass, type Exchange } from '../cluster/wire.ts';
import type { TestScope } from '../harness/stack.ts';

/** Sessions end after so long: clients have to prove again who they are, on the connections that they have. */
export const SESSION_MS = 15_000;
const MODULES = 'org.apache.kafka.common.security';
const UNSIGNED = `${MODULES}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler`;
/** Kafka's least. */
const ITERATIONS = 4_096;

/** Everything that no rule allows; but the stack's own listener, by which the broker talks to itself and the test looks after it. */
const REFUSES = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'super.users': 'User:ANONYMOUS',
};
const pemOf = ({ key, cert }: { key: string; cert: string }) => `${key}${cert}\n`;
const keyStore = (file: string) => ({ 'ssl.keystore.type': 'PEM', 'ssl.keystore.location': file });
const jaas = (module: string, options = '') => `${MODULES}.${module} required${options};`;

/**
 * The listener behind proxies asks for SCRAM over TLS. A certificate is the authority of itself.
 * @param keyFile PEM of the brokers' key and certificate
 */
export function securedProxied(keyFile: string): SecuredBrokers {
  const listener = 'listener.name.proxied';
  return {
    listeners: [],
    proxied: 'SASL_SSL',
    settings: {
      ...{ ...REFUSES, ...keyStore(keyFile) },
      [`${listener}.sasl.enabled.mechanisms`]: 'SCRAM-SHA-512',
      [`${listener}.connections.max.reauth.ms`]: SESSION_MS,
      [`${listener}.scram-sha-512.sasl.jaas.config`]: jaas('scram.ScramLoginModule'),
    },
  };
}

/** What a client needs to come to the listeners. */
export interface SecuredAccess {
  /** host:port. */
  readonly sasl: string;
  readonly mutual: string;
  /** Authority of every server of the test. */
  readonly caFile: string;
  readonly certificate: { readonly cert: string; readonly key: string };
  /** Client of `mutual`, and the principal that the broker takes it for. */
  readonly client: { readonly certFile: string; readonly keyFile: string; readonly principal: string };
  /** User of PLAIN. */
  readonly plain: { readonly username: string; readonly password: string };
}

/** How a broker is told to ask for credentials, and to refuse everything that no rule allows; and what its clients need. */
export async function securedBrokers(
  scope: TestScope,
): Promise<{ readonly secured: SecuredBrokers; readonly access: SecuredAccess }> {
  const folder = await mkdtemp(join(tmpdir(), 'email-events-secured-'));
  scope.onTestFinished(() => rm(folder, { recursive: true }));
  const file = async (name: string, text: string) => {
    await writeFile(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const [server, client] = await Promise.all([makeCertificate(['127.0.0.1']), makeCertificate(['client'])]);
  const ports = await choosePorts({ sasl: {}, mutual: {} });
  const plain = { username: 'plain-user', password: randomUUID() };
  const secured: SecuredBrokers = {
    listeners: [
      { name: 'SASL', protocol: 'SASL_SSL', ports: [ports.sasl] },
      { name: 'MUTUAL', protocol: 'SSL', ports: [ports.mutual] },
    ],
    settings: {
      ...REFUSES,
      ...keyStore(await file('server.pem', pemOf(server))),
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': await file('clients.pem', client.cert),
      'listener.name.mutual.ssl.client.auth': 'required',
      'listener.name.sasl.sasl.enabled.mechanisms': 'SCRAM-SHA-512,PLAIN,OAUTHBEARER',
      'listener.name.sasl.connections.max.reauth.ms': SESSION_MS,
      'listener.name.sasl.scram-sha-512.sasl.jaas.config': jaas('scram.ScramLoginModule'),
      'listener.name.sasl.plain.sasl.jaas.config': jaas(
        'plain.PlainLoginModule',
        ` user_${plain.username}="${plain.password}"`,
      ),
      'listener.name.sasl.oauthbearer.sasl.jaas.config': jaas('oauthbearer.OAuthBearerLoginModule'),
      'listener.name.sasl.oauthbearer.sasl.server.callback.handler.class': UNSIGNED,
    },
  };
  const access: SecuredAccess = {
    sasl: `127.0.0.1:${ports.sasl}`,
    mutual: `127.0.0.1:${ports.mutual}`,
    caFile: await file('ca.pem', server.cert),
    certificate: server,
    client: {
      certFile: await file('client.pem', client.cert),
      keyFile: await file('client.key', client.key),
      principal: new X509Certificate(client.cert).subject,
    },
    plain,
  };
  return { secured, access };
}

/** Makes users of SCRAM-SHA-512, whom kafkajs cannot make. */
export async function makeScramUsers(address: string, users: ReadonlyMap<string, string>): Promise<void> {
  await ask(address, alterScramCredentials(users));
}

/** AlterUserScramCredentials version 0, as Kafka's protocol guide has it. */
function alterScramCredentials(users: ReadonlyMap<string, string>): Exchange<void> {
  const upsertions = [...users].map(([name, password]) => {
    const salt = randomBytes(20);
    const salted = pbkdf2Sync(password, salt, ITERATIONS, 64, 'sha512');
    return new EncoderClass()
      .writeUVarIntString(name)
      .writeInt8(2)
      .writeInt32(ITERATIONS)
      .writeUVarIntBytes(salt)
      .writeUVarIntBytes(salted)
      .writeUVarIntBytes();
  });
  return {
    request: {
      apiKey: 51,
      apiVersion: 0,
      // The header of a version with tagged fields has none here.
      encode: async () =>
        new EncoderClass()
          .writeUVarIntBytes()
          .writeUVarIntArray([])
          .writeUVarIntArray(upsertions)
          .writeUVarIntBytes(),
    },
    response: {
      async decode(bytes) {
        const codes = resultsOf(bytes);
        if (codes.length !== users.size || codes.some((code) => code !== 0))
          throw new Error(`the users were not made: ${codes}`);
      },
    },
  };
}

function resultsOf(bytes: Buffer): number[] {
  const decoder = new DecoderClass(bytes);
  decoder.readTaggedFields();
  decoder.readInt32();
  return Array.from({ length: decoder.readUVarInt() - 1 }, () => {
    decoder.readUVarIntString();
    const code = decoder.readInt16();
    decoder.readUVarIntString();
    decoder.readTaggedFields();
    return code;
  });
}
