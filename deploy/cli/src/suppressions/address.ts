import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { PipelineError } from '@email-events/core/errors';
import { keyOfAddress, recipientKey } from '@email-events/schemas';

/** More of a long list would not help. */
const SHOWN_PROBLEMS = 10;

/**
 * Recipient keys, each once, in the order given. Throws CLI_USAGE, which names what is no address, if anything is none:
 * half of a list is worse than none.
 */
export function keysOfAddresses(addresses: readonly string[]): string[] {
  const bad = addresses.filter((address) => keyOfAddress(address) === undefined);
  if (bad.length > 0) {
    const shown = bad.slice(0, SHOWN_PROBLEMS).map((address) => `"${address}"`);
    const more = bad.length > shown.length ? ` and ${bad.length - shown.length} more` : '';
    throw new PipelineError('CLI_USAGE', 'reject', `no email address: ${shown.join(', ')}${more}`);
  }
  return [...new Set(addresses.map((address) => keyOfAddress(address) ?? ''))];
}

/**
 * Keys under which recipients may be known, each once: also of what is no address, since ESPs report that too. Throws CLI_USAGE for what no recipient is.
 */
export function keysOfRecipients(recipients: readonly string[]): string[] {
  const keys = recipients.map((recipient) => recipientKey(recipient));
  const bad = keys.filter((key) => key === '' || /\p{Cc}/u.test(key));
  if (bad.length > 0)
    throw new PipelineError(
      'CLI_USAGE',
      'reject',
      `no recipient: ${bad.map((key) => JSON.stringify(key)).join(', ')}`,
    );
  return [...new Set(keys)];
}

/** Addresses of a file, one a line; `-` is standard input. Blank lines and lines that begin with # are left out. Throws CLI_USAGE. */
export async function addressesOfFile(file: string): Promise<string[]> {
  const content = file === '-' ? await text(process.stdin) : await readOrSay(file);
  return content
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

async function readOrSay(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code = '' } = error as { code?: string };
    throw new PipelineError('CLI_USAGE', 'reject', `${file} cannot be read: ${code}`, { cause: error });
  }
}
