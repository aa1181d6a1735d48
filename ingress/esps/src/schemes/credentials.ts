import {
  type CredentialFacts,
  EspConfigError,
  type EspRequest,
  type RefusalCode,
  type Verdict,
  type Verifier,
  type VerifierSettings,
} from '../adapter.ts';
import { checkSettings, textOption } from './settings.ts';
import { fromBase64, sameSecret } from './signatures.ts';

/**
 * For ESPs that sign nothing but can carry a credential: Basic authentication, a token in the query, or a fixed
 * header. Each option chooses its way; without one the ESP's usual way holds.
 */
export const CREDENTIAL_OPTIONS = [
  {
    name: 'tokenParameter',
    required: false,
    description: 'query parameter that carries the secret, instead of Basic authentication',
  },
  {
    name: 'header',
    required: false,
    description: 'header that carries the secret, instead of Basic authentication',
  },
] as const;

export const DEFAULT_TOKEN_PARAMETER = 'token';

export function credentialVerifier(
  esp: string,
  facts: CredentialFacts,
  settings: VerifierSettings,
  usual: 'basic' | 'token' = 'basic',
): Verifier {
  checkSettings(esp, facts, settings);
  const header = textOption(settings, 'header')?.toLowerCase();
  const parameter = textOption(settings, 'tokenParameter');
  if (header && parameter)
    throw new EspConfigError(`${esp}: choose one of the options header and tokenParameter`);
  const { secrets } = settings;
  if (header) return headerVerifier(header, secrets);
  if (parameter || usual === 'token') {
    const name = parameter ?? DEFAULT_TOKEN_PARAMETER;
    return { verify: ({ url }) => judge(queryParameter(url, name), secrets), secretParameters: [name] };
  }
  for (const secret of secrets) checkBasicSecret(esp, secret);
  return { verify: (request) => verifyBasic(request, secrets) };
}

function headerVerifier(header: string, secrets: readonly string[]): Verifier {
  if (header !== 'authorization') return { verify: ({ headers }) => judge(headers[header] ?? null, secrets) };
  // ESPs ask for the token and write "Bearer" before it, so the secret may be given either way.
  const tokens = secrets.map(withoutBearer);
  return { verify: ({ headers }) => judge(withoutBearer(headers[header] ?? ''), tokens) };
}

function withoutBearer(credential: string): string {
  return credential.trim().replace(/^bearer +/i, '');
}

function checkBasicSecret(esp: string, secret: string): void {
  const colon = secret.indexOf(':');
  if (colon < 1 || colon === secret.length - 1) {
    throw new EspConfigError(`a secret of ${esp} is not of the form user:password`);
  }
}

function verifyBasic({ headers }: EspRequest, secrets: readonly string[]): Verdict {
  const { authorization } = headers;
  if (!authorization) return refused('CREDENTIALS_MISSING');
  const match = /^basic +(\S+)$/i.exec(authorization.trim());
  const presented = match?.[1] === undefined ? null : fromBase64(match[1]);
  return presented ? judge(presented, secrets) : refused('CREDENTIALS_WRONG');
}

/** Compares with every secret, whichever is right, so that timing does not tell which. */
function judge(presented: string | Buffer | null, secrets: readonly string[]): Verdict {
  if (presented === null || presented.length === 0) return refused('CREDENTIALS_MISSING');
  let found = false;
  for (const secret of secrets) found = sameSecret(presented, secret) || found;
  return found ? { outcome: 'verified' } : refused('CREDENTIALS_WRONG');
}

function queryParameter(url: string, name: string): string | null {
  const start = url.indexOf('?');
  if (start === -1) return null;
  const values = new URLSearchParams(url.slice(start + 1)).getAll(name);
  // Two tokens: no honest sender sends that, and which one counts must not depend on who reads it.
  return values.length === 1 ? (values[0] ?? null) : null;
}

function refused(code: RefusalCode): Verdict {
  return { outcome: 'refused', code };
}
