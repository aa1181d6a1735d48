import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { selfSignedCertificate } from './certificate.ts';

/** ESPs that the simulator can play, in the order of their shares of the traffic. */
export const SIMULATED_ESPS = ['sendgrid', 'mailgun', 'ses', 'postmark', 'standard-webhooks'] as const;
export type SimulatedEsp = (typeof SIMULATED_ESPS)[number];

/** What each ESP signs with. Private: belongs to the sending side only. */
export interface SenderCredentials {
  readonly sendgrid: {
    /** PEM, PKCS#8, P-256. */
    readonly privateKey: string;
  };
  readonly mailgun: { readonly signingKey: string };
  readonly postmark: { readonly user: string; readonly password: string };
  readonly ses: {
    /** PEM, PKCS#8, RSA 2048. */
    readonly privateKey: string;
    readonly certificateUrl: string;
    readonly certificate: string;
    readonly topicArn: string;
  };
  readonly 'standard-webhooks': {
    /** `whsec_` and base64. */
    readonly secret: string;
  };
}

/** One entry of `sources` in pipeline.yaml, as core/src/config/schema.ts has it. */
export interface SourceEntry {
  readonly esp: string;
  readonly secrets: readonly string[];
  readonly options: { readonly [name: string]: unknown };
}

export interface SimulatorCredentials {
  /** For the simulator. */
  readonly sender: SenderCredentials;
  /** For `sources:` of pipeline.yaml, by source name (= ESP name). Secrets are `file:` references into the folder. */
  readonly sources: { readonly [source in SimulatedEsp]: SourceEntry };
}

const SENDER_FILE = 'sender.json';

/**
 * Makes the keys and secrets of all simulated ESPs in a folder (readable by the owner only), or reads those that an
 * earlier call has made there, so that a second start keeps them. Throws if the folder cannot be written.
 */
export async function generateCredentials(dir: string): Promise<SimulatorCredentials> {
  const folder = resolve(dir);
  if (!existsSync(join(folder, SENDER_FILE))) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const made = await makeCredentials();
    for (const [name, text] of Object.entries(secretFiles(made))) writePrivate(join(folder, name), text);
    writePrivate(join(folder, SENDER_FILE), `${JSON.stringify(made, null, 2)}\n`);
  }
  return loadCredentials(folder);
}

/** Reads what generateCredentials made. Throws if the folder has none. */
export function loadCredentials(dir: string): SimulatorCredentials {
  const folder = resolve(dir);
  const sender = JSON.parse(readFileSync(join(folder, SENDER_FILE), 'utf8')) as SenderCredentials;
  return { sender, sources: sourcesFor(sender, (name) => `file:${join(folder, name)}`) };
}

/** The same with secrets in place of references, for tests that need no folder. */
export async function makeCredentials(): Promise<SenderCredentials> {
  const sendgrid = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ses = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = { format: 'pem', type: 'pkcs8' } as const;
  return {
    sendgrid: { privateKey: sendgrid.privateKey.export(pem).toString() },
    mailgun: { signingKey: `key-${randomBytes(16).toString('hex')}` },
    postmark: { user: 'postmark', password: randomBytes(18).toString('base64url') },
    ses: {
      privateKey: ses.privateKey.export(pem).toString(),
      certificateUrl: `https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-${randomBytes(16).toString('hex')}.pem`,
      certificate: await selfSignedCertificate(ses, 'sns.amazonaws.com'),
      topicArn: 'arn:aws:sns:eu-west-1:123456789012:email-events',
    },
    'standard-webhooks': { secret: `whsec_${randomBytes(24).toString('base64')}` },
  };
}

/** Source entries whose secrets are what `secretOf` says for the name of a secret's file. */
export function sourcesFor(
  sender: SenderCredentials,
  secretOf: (file: keyof ReturnType<typeof secretFiles>) => string,
): SimulatorCredentials['sources'] {
  const source = (esp: string, secrets: readonly string[], options = {}) => ({ esp, secrets, options });
  const { topicArn, certificateUrl, certificate } = sender.ses;
  return {
    sendgrid: source('sendgrid', [secretOf('sendgrid.public')]),
    mailgun: source('mailgun', [secretOf('mailgun.key')]),
    postmark: source('postmark', [secretOf('postmark.basic')]),
    ses: source('ses', [], { topicArns: [topicArn], certificates: { [certificateUrl]: certificate } }),
    'standard-webhooks': source('standard-webhooks', [secretOf('standard-webhooks.secret')]),
  };
}

/** The pipeline's side of each secret: what a source's `secrets` must resolve to. */
export function secretFiles(sender: SenderCredentials) {
  return {
    'sendgrid.public': publicKeyOf(sender.sendgrid.privateKey),
    'mailgun.key': sender.mailgun.signingKey,
    'postmark.basic': `${sender.postmark.user}:${sender.postmark.password}`,
    'standard-webhooks.secret': sender['standard-webhooks'].secret,
  };
}

function publicKeyOf(privateKey: string): string {
  return createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).toString('base64');
}

function writePrivate(path: string, text: string): void {
  const partial = `${path}.partial`;
  writeFileSync(partial, text, { mode: 0o600 });
  chmodSync(partial, 0o600);
  renameSync(partial, path);
}
