import { createHmac, randomBytes } from 'node:crypto';

export interface Site {
  /** Admin API key of a custom integration, as the sink takes it. */
  readonly key: string;
  /** Ids of its newsletters. Who signs up gets both. */
  readonly newsletters: readonly [string, string];
}

/** As its owner does it in a browser: an account, a second newsletter, an integration. */
export async function setUpSite(url: string): Promise<Site> {
  const owner = { email: 'owner@example.com', password: randomBytes(24).toString('base64url') };
  const setup = [{ ...owner, name: 'Owner', blogTitle: 'A site' }];
  await asOwner(url, '', 'POST', 'authentication/setup/', { setup });
  const login = await asOwner(url, '', 'POST', 'session/', {
    username: owner.email,
    password: owner.password,
  });
  const session = login.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0])
    .join('; ');
  const newsletter = { name: 'A second one', subscribe_on_signup: true };
  await asOwner(url, session, 'POST', 'newsletters/', { newsletters: [newsletter] });
  const found = await asOwner(url, session, 'GET', 'newsletters/');
  const { newsletters } = (await found.json()) as { newsletters: { id: string }[] };
  const made = await asOwner(url, session, 'POST', 'integrations/?include=api_keys', {
    integrations: [{ name: 'CRM sink' }],
  });
  const { integrations } = (await made.json()) as {
    integrations: { api_keys: { type: string; secret: string }[] }[];
  };
  const key = integrations[0]?.api_keys.find(({ type }) => type === 'admin')?.secret;
  const [first, second] = newsletters.map(({ id }) => id);
  if (!key || !first || !second) throw new Error('Ghost has made no key, or no newsletters');
  return { key, newsletters: [first, second] };
}

/** A call of the Admin API, as the page in a browser makes it. */
function asOwner(
  url: string,
  cookie: string,
  method: string,
  path: string,
  body?: object,
): Promise<Response> {
  return call(url, { origin: url, cookie }, method, path, body);
}

/** The same by another integration with this key, for what others do at the site. */
export function asIntegration(
  { url, key }: { readonly url: string; readonly key: string },
  method: string,
  path: string,
  body?: object,
): Promise<Response> {
  const [kid = '', secret = ''] = key.split(':');
  const iat = Math.floor(Date.now() / 1_000);
  const parts = [
    { alg: 'HS256', typ: 'JWT', kid },
    { iat, exp: iat + 60, aud: '/admin/' },
  ];
  const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const signature = createHmac('sha256', Buffer.from(secret, 'hex')).update(signed).digest('base64url');
  return call(url, { authorization: `Ghost ${signed}.${signature}` }, method, path, body);
}

/** Throws unless it succeeds. */
async function call(
  url: string,
  credentials: { readonly [name: string]: string },
  method: string,
  path: string,
  body?: object,
): Promise<Response> {
  const answer = await fetch(`${url}/ghost/api/admin/${path}`, {
    ...{ method, headers: { ...credentials, 'content-type': 'application/json' } },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer;
}
