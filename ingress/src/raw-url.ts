/**
 * Path and query of a request, without what authenticates: user info (an absolute URL may have some), the parameter that
 * holds the token, and any parameter whose value is a secret.
 */
export function rawUrl(url: string, secretParameter: string | undefined, secrets: readonly string[]): string {
  const local = url.startsWith('/') ? url : url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '') || '/';
  const question = local.indexOf('?');
  if (question < 0) return local;
  const kept = local
    .slice(question + 1)
    .split('&')
    .map((parameter) => scrub(parameter, secretParameter, secrets));
  return `${local.slice(0, question)}?${kept.join('&')}`;
}

function scrub(parameter: string, secretParameter: string | undefined, secrets: readonly string[]): string {
  const equals = parameter.indexOf('=');
  const name = equals < 0 ? parameter : parameter.slice(0, equals);
  const value = decoded(equals < 0 ? parameter : parameter.slice(equals + 1));
  const secret = decoded(name) === secretParameter || secrets.some((text) => value.includes(text));
  return secret ? `${equals < 0 ? '' : `${name}=`}***` : parameter;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
