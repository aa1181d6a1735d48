import type { Answer, Call, CrmHarness, PlayedCrm } from '../testing/harness.ts';

const KEY = 'braze-0000-key-of-the-tests';
export const GROUP = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
export const OTHER_GROUP = '3f2504e0-4f89-41d3-9a0c-0305e82c3302';

/** The API as the vendor documents it, not as the adapter uses it. */
export const harness: CrmHarness = {
  play: () => playBraze(),
  throttled: (seconds) => ({
    answer: { status: 429, headers: { 'x-ratelimit-retry-after': String(seconds) } },
    afterMs: seconds * 1_000,
  }),
};

interface Address {
  state: 'subscribed' | 'unsubscribed';
  bounced: boolean;
  /** Whether a user has it. */
  user: boolean;
  readonly groups: Map<string, 'Subscribed' | 'Unsubscribed'>;
}

export interface BrazeWorld {
  readonly permissions?: readonly string[];
  /** Answers a write with success, and with an error inside. */
  readonly fails?: boolean;
  /** It says "User not found" with this status. */
  readonly unknownStatus?: number;
}

export interface PlayedBraze extends PlayedCrm {
  addUser(email: string, ...groups: string[]): Address;
  of(email: string): Address | undefined;
}

const ALL = [
  ...['email.status', 'email.blacklist', 'subscription.status.get', 'subscription.status.set'],
  ...['users.export.ids', 'users.delete'],
];

export function playBraze(world: BrazeWorld = {}): PlayedBraze {
  const workspace = new Workspace(world);
  const { addresses } = workspace;
  return {
    settings: (base) => ({ url: base, secrets: [KEY], options: { streams: { digest: GROUP } } }),
    wrongSecrets: ['braze-0000-key-of-another-workspace'],
    answer: (call) => workspace.answer(call),
    recipientOf: aboutOf,
    reads: ({ url }) => url.pathname === '/users/export/ids',
    held(recipient) {
      const address = addresses.get(recipient);
      return address && { suppressed: address.state === 'unsubscribed' };
    },
    recipients: () => [...addresses.keys()],
    optOut(email) {
      workspace.address(email).state = 'unsubscribed';
    },
    importContact(recipient) {
      workspace.address(recipient).user = true;
    },
    isContact: (recipient) => addresses.get(recipient)?.user ?? false,
    addUser(email, ...groups) {
      const address = workspace.address(email);
      address.user = true;
      for (const group of groups) address.groups.set(group, 'Subscribed');
      return address;
    },
    of: (email) => addresses.get(email),
  };
}

class Workspace {
  readonly addresses = new Map<string, Address>();
  private readonly world: BrazeWorld;

  constructor(world: BrazeWorld) {
    this.world = world;
  }

  address(email: string): Address {
    const before = this.addresses.get(email);
    const address = before ?? { state: 'subscribed', bounced: false, user: false, groups: new Map() };
    this.addresses.set(email, address);
    return address;
  }

  answer({ method, url, headers, body }: Call): Answer {
    if (headers.authorization !== `Bearer ${KEY}`) return json(401, { message: 'Invalid API key' });
    const permission = PERMISSIONS[`${method} ${url.pathname}`];
    if (permission === undefined) return json(404, { message: 'Invalid URL' });
    if (!(this.world.permissions ?? ALL).includes(permission))
      return json(403, { message: `This key lacks ${permission}` });
    if (permission === 'subscription.status.get') return this.status(url);
    if (permission === 'subscription.status.set') return this.set(body);
    if (permission === 'users.export.ids') return this.find(body);
    if (permission === 'users.delete') return this.remove(body);
    const { email, subscription_state } = JSON.parse(body) as {
      email: string[];
      subscription_state?: string;
    };
    if (!Array.isArray(email) || email.length === 0 || email.length > 50)
      return json(400, { message: 'The email field is invalid' });
    if (this.world.fails) return json(201, { message: 'success', errors: ['an address is invalid'] });
    const blocks = permission === 'email.blacklist';
    if (!blocks && subscription_state !== 'unsubscribed') throw new Error('somebody is subscribed');
    for (const one of email) {
      const address = this.address(one);
      address.state = 'unsubscribed';
      address.bounced ||= blocks;
    }
    return json(201, { message: 'success' });
  }

  private find(body: string): Answer {
    const { email_address: email = '', fields_to_export } = JSON.parse(body) as {
      email_address?: string;
      fields_to_export?: string[];
    };
    if (!fields_to_export?.length) return json(400, { message: 'fields_to_export is needed' });
    const user = this.addresses.get(email)?.user ? [{ braze_id: idOf(email), email }] : [];
    return json(200, { users: user, invalid_user_ids: [], message: 'success' });
  }

  /** What becomes of the state of the address is not documented: here it goes. */
  private remove(body: string): Answer {
    const { braze_ids } = JSON.parse(body) as { braze_ids?: string[] };
    if (!braze_ids?.length || braze_ids.length > 50) return json(400, { message: 'braze_ids is invalid' });
    if (this.world.fails) return json(201, { deleted: 0, message: 'success', errors: ['a user is invalid'] });
    const deleted = braze_ids.filter((id) => this.addresses.delete(emailOf(id)));
    return json(201, { deleted: deleted.length, message: 'success' });
  }

  private status({ searchParams }: URL): Answer {
    const group = searchParams.get('subscription_group_id') ?? '';
    const email = searchParams.get('email') ?? '';
    if (group !== GROUP && group !== OTHER_GROUP) return json(400, { message: 'Invalid subscription group' });
    const address = this.addresses.get(email);
    if (!address?.user) return json(this.world.unknownStatus ?? 404, { message: 'User not found' });
    return json(200, { status: { [email]: address.groups.get(group) ?? 'Unknown' }, message: 'success' });
  }

  private set(body: string): Answer {
    const { subscription_groups } = JSON.parse(body) as {
      subscription_groups: { subscription_group_id: string; subscription_state: string; emails: string[] }[];
    };
    for (const { subscription_group_id, subscription_state, emails } of subscription_groups) {
      if (subscription_state !== 'unsubscribed') throw new Error('somebody is subscribed');
      for (const email of emails) {
        const address = this.address(email);
        // Who is unknown is made.
        address.user = true;
        address.groups.set(subscription_group_id, 'Unsubscribed');
      }
    }
    return json(201, { message: 'success' });
  }
}

const idOf = (email: string) => Buffer.from(email).toString('hex');
const emailOf = (id: string) => Buffer.from(id, 'hex').toString();

const PERMISSIONS: { readonly [call: string]: string } = {
  'POST /users/export/ids': 'users.export.ids',
  'POST /users/delete': 'users.delete',
  'POST /email/status': 'email.status',
  'POST /email/blocklist': 'email.blacklist',
  'GET /subscription/status/get': 'subscription.status.get',
  'POST /v2/subscription/status/set': 'subscription.status.set',
};

function aboutOf({ url, body }: Call): string | undefined {
  const asked = url.searchParams.get('email');
  if (asked !== null) return asked.endsWith('@invalid') ? undefined : asked;
  if (!body) return undefined;
  const { email, subscription_groups, email_address, braze_ids } = JSON.parse(body) as {
    email_address?: string;
    braze_ids?: string[];
    email?: string[];
    subscription_groups?: { emails: string[] }[];
  };
  const [id] = braze_ids ?? [];
  if (id !== undefined) return emailOf(id);
  return email_address ?? email?.[0] ?? subscription_groups?.[0]?.emails[0];
}

const json = (status: number, body: object): Answer => ({ status, body: JSON.stringify(body) });
