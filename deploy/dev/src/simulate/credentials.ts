import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { accountOf, accounts } from '@email-events/esps/accounts';

const ranked = accounts
  .filter(({ speech }) => speech.use.rank !== undefined)
  .sort((a, b) => (a.speech.use.rank ?? 0) - (b.speech.use.rank ?? 0));

/** ESPs that the simulator plays if no others are asked for. */
export const SIMULATED_ESPS: readonly string[] = ranked.map(({ esp }) => esp);
/** Every ESP that has an account, those first. */
export const EVERY_ESP: readonly string[] = [...new Set([...ranked, ...accounts].map(({ esp }) => esp))];

/** The keys of each ESP's account, as it has made them. Private: they belong to the sending side only. */
export interface SenderCredentials {
  readonly [esp: string]: unknown;
}

/** One entry of `sources` in pipeline.yaml. */
export interface SourceEntry {
  readonly esp: string;
  readonly secrets: readonly string[];
  readonly options: { readonly [name: string]: unknown };
}

export interface SimulatorCredentials {
  /** For the simulator. */
  readonly sender: SenderCredentials;
  /** For `sources:` of pipeline.yaml, by source name (= ESP name). Secrets are `file:` references into the folder. */
  readonly sources: { readonly [source: string]: SourceEntry };
}

const SENDER_FILE = 'sender.json';

/**
 * Makes the keys and secrets of all simulated ESPs in a folder (readable by the owner only), or reads those that an
 * earlier call has made there, so that a second start keeps them. Throws if the folder cannot be written.
 */
export async function generateCredentials(dir: string): Promise<SimulatorCredentials> {
  const folder = resolve(dir);
  const earlier = existsSync(join(folder, SENDER_FILE)) ? readSender(folder) : {};
  if (!isComplete(earlier)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // Keys that an earlier version made stay as they are.
    const made = { ...(await makeCredentials()), ...earlier };
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
  const keys = await Promise.all(accounts.map(async ({ esp, newKey }) => [esp, await newKey()] as const));
  return Object.fromEntries(keys);
}

/** Until ESPs had accounts, the keys of most were in `further`, and those of the others had other forms: these are made anew. */
function readSender(folder: string): SenderCredentials {
  const { further, ...keys } = JSON.parse(
    readFileSync(join(folder, SENDER_FILE), 'utf8'),
  ) as SenderCredentials;
  return further === undefined ? keys : (further as SenderCredentials);
}

function isComplete(sender: SenderCredentials): boolean {
  return EVERY_ESP.every((esp) => sender[esp] !== undefined);
}

/** Source entries whose secrets are what `secretOf` says for the name of a secret's file. */
export function sourcesFor(
  sender: SenderCredentials,
  secretOf: (file: string) => string,
): SimulatorCredentials['sources'] {
  return Object.fromEntries(
    EVERY_ESP.map((esp) => {
      const { settings, resources } = signerOf(esp, sender);
      const certificates = Object.fromEntries(resources);
      const options = resources.size > 0 ? { ...settings.options, certificates } : settings.options;
      return [esp, { esp, secrets: settings.secrets.map(() => secretOf(fileOf(esp))), options }];
    }),
  );
}

/** The pipeline's side of each secret: what a source's `secrets` must resolve to, by the name of its file. */
export function secretFiles(sender: SenderCredentials): { readonly [file: string]: string } {
  return Object.fromEntries(
    EVERY_ESP.flatMap((esp) => signerOf(esp, sender).settings.secrets.map((secret) => [fileOf(esp), secret])),
  );
}

const fileOf = (esp: string): string => `${esp}.secret`;
const signerOf = (esp: string, sender: SenderCredentials) => accountOf(esp).signer(sender[esp]);

function writePrivate(path: string, text: string): void {
  const partial = `${path}.partial`;
  writeFileSync(partial, text, { mode: 0o600 });
  chmodSync(partial, 0o600);
  renameSync(partial, path);
}
