import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** ESPs that the simulator plays if no others are asked for, in the order of their shares of the traffic. */
export const SIMULATED_ESPS = ['sendgrid', 'mailgun', 'ses', 'postmark', 'standard-webhooks'] as const;
/** ESPs that it plays when it is asked to. */
export const FURTHER_ESPS = [
  'resend',
  'loops',
  'mailersend',
  'mailtrap',
  'customerio',
  'postal',
  'zeptomail',
  'sparkpost',
  'mandrill',
  'mailjet',
  'brevo',
  'elasticemail',
  'unisender-go',
  'smtp2go',
] as const;
export const EVERY_ESP = [...SIMULATED_ESPS, ...FURTHER_ESPS] as const;
export type FurtherEsp = (typeof FURTHER_ESPS)[number];
export type SimulatedEsp = (typeof EVERY_ESP)[number];

/** The keys that each ESP signs with. Private: they belong to the sending side only. */
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
  /** The secrets that the other ESPs sign with or present; Postal's is a private key (PEM, PKCS#8, RSA 2048). */
  readonly further: { readonly [esp in FurtherEsp]: string };
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
  const earlier = existsSync(join(folder, SENDER_FILE)) ? readSender(folder) : undefined;
  if (earlier === undefined || !isComplete(earlier)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // Keys that an earlier version made stay as they are.
    const made: SenderCredentials = {
      ...(earlier ?? (await makeSigningKeys())),
      further: { ...makeFurther(), ...earlier?.further },
    };
    for (const [name, text] of Object.entries(secretFiles(made))) writePrivate(join(folder, name), text);
    writePrivate(join(folder, SENDER_FILE), `${JSON.stringify(made, null, 2)}\n`);
  }
  return loadCredentials(folder);
}

/** Reads what generateCredentials made. Throws if the folder has none. */
export function loadCredentials(dir: string): SimulatorCredentials {
  const folder = resolve(dir);
  const sender = readSender(folder);
  if (!isComplete(sender)) throw new Error(`${folder} lacks credentials: start the pipeline once more`);
  return { sender, sources: sourcesFor(sender, (name) => `file:${join(folder, name)}`) };
}

/** The same with secrets in place of references, for tests that need no folder. */
export async function makeCredentials(): Promise<SenderCredentials> {
  return { ...(await makeSigningKeys()), further: makeFurther() };
}

/** As a version for fewer ESPs may have written it. */
type EarlierCredentials = Omit<SenderCredentials, 'further'> & {
  readonly further?: Partial<SenderCredentials['further']>;
};

function readSender(folder: string): EarlierCredentials {
  return JSON.parse(readFileSync(join(folder, SENDER_FILE), 'utf8')) as EarlierCredentials;
}

function isComplete(sender: EarlierCredentials): sender is SenderCredentials {
  return FURTHER_ESPS.every((esp) => sender.further?.[esp] !== undefined);
}

async function makeSigningKeys(): Promise<Omit<SenderCredentials, 'further'>> {
  const sendgrid = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  // Loaded here only: the keys are made once, and its certificate takes a large library.
  const { ses } = await import('@email-events/esps/accounts/ses');
  const pem = { format: 'pem', type: 'pkcs8' } as const;
  return {
    sendgrid: { privateKey: sendgrid.privateKey.export(pem).toString() },
    mailgun: { signingKey: `key-${randomBytes(16).toString('hex')}` },
    postmark: { user: 'postmark', password: randomBytes(18).toString('base64url') },
    ses: {
      ...(await ses.newKey()),
      certificateUrl: `https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-${randomBytes(16).toString('hex')}.pem`,
      topicArn: 'arn:aws:sns:eu-west-1:123456789012:email-events',
    },
    'standard-webhooks': { secret: `whsec_${randomBytes(24).toString('base64')}` },
  };
}

function makeFurther(): SenderCredentials['further'] {
  const webhook = () => `whsec_${randomBytes(24).toString('base64')}`;
  const key = () => randomBytes(24).toString('hex');
  const basic = (esp: string) => `${esp}:${randomBytes(18).toString('base64url')}`;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    ...{ resend: webhook(), loops: webhook(), mailersend: key(), mailtrap: key(), customerio: key() },
    postal: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    ...{ zeptomail: `Key ${key()}`, sparkpost: basic('sparkpost'), mandrill: key() },
    ...{ mailjet: basic('mailjet'), brevo: basic('brevo'), elasticemail: key() },
    ...{ 'unisender-go': key(), smtp2go: basic('smtp2go') },
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
    ...furtherSources((esp) => source(esp, [secretOf(`${esp}.secret`)], OPTIONS[esp])),
  };
}

/** It signs the URL that is configured at Mandrill, not the one at which a proxy or a test reaches the ingress. */
const OPTIONS: { readonly [esp in FurtherEsp]?: SourceEntry['options'] } = {
  mandrill: { url: 'https://hooks.example.com/webhooks/email-events/mandrill' },
};

function furtherSources(entryOf: (esp: FurtherEsp) => SourceEntry) {
  return Object.fromEntries(FURTHER_ESPS.map((esp) => [esp, entryOf(esp)])) as {
    [esp in FurtherEsp]: SourceEntry;
  };
}

/** The pipeline's side of each secret: what a source's `secrets` must resolve to. */
export function secretFiles(sender: SenderCredentials) {
  return {
    'sendgrid.public': publicKeyOf(sender.sendgrid.privateKey),
    'mailgun.key': sender.mailgun.signingKey,
    'postmark.basic': `${sender.postmark.user}:${sender.postmark.password}`,
    'standard-webhooks.secret': sender['standard-webhooks'].secret,
    ...furtherSecrets(sender.further),
  };
}

function furtherSecrets(further: SenderCredentials['further']) {
  const known = { ...further, postal: publicKeyOf(further.postal) };
  return Object.fromEntries(FURTHER_ESPS.map((esp) => [`${esp}.secret`, known[esp]])) as {
    [file in `${FurtherEsp}.secret`]: string;
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
