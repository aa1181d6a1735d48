import type { Answer, Call, CrmHarness, PlayedCrm } from '../testing/harness.ts';

const KEY = '0123456789abcdef0123456789abcdef';
/** Channels of the project: two of e-mail, one of SMS. */
export const CHANNELS = [
  { id: 101, name: 'Marketing', channelType: 'Marketing', messageMedium: 'Email' },
  { id: 102, name: 'Transactional', channelType: 'Transactional', messageMedium: 'Email' },
  { id: 201, name: 'Texts', channelType: 'Marketing', messageMedium: 'SMS' },
];
export const TYPES = [11, 12];

/** The API as the vendor documents it, not as the adapter uses it. */
export const harness: CrmHarness = {
  // The adapter makes no users: whoever is asked about is one.
  play: () => playIterable({ knowsAll: true }),
};

export interface IterableUser {
  emailListIds: number[];
  unsubscribedChannelIds: number[];
  unsubscribedMessageTypeIds: number[];
}

export interface IterableWorld {
  readonly knowsAll?: boolean;
  /** Look-ups that are behind a write. */
  readonly lag?: number;
  /** How it says that it does not know a user: an empty object, or an error. */
  readonly unknown?: 'empty' | 'error';
  /** A change is answered with 200 and this code. */
  readonly code?: string;
  readonly channels?: typeof CHANNELS;
}

export interface PlayedIterable extends PlayedCrm {
  add(email: string, user?: Partial<IterableUser>): IterableUser;
  of(email: string): IterableUser | undefined;
}

export function playIterable(world: IterableWorld = {}): PlayedIterable {
  const project = new Project(world);
  return {
    settings: (base) => ({ url: base, secrets: [KEY], options: { streams: { digest: 11 } } }),
    wrongSecrets: ['fedcba9876543210fedcba9876543210'],
    answer: (call) => project.answer(call),
    recipientOf: ({ url, body }) =>
      url.searchParams.get('email') ?? (body ? (JSON.parse(body) as { email: string }).email : undefined),
    held(recipient) {
      project.settle();
      const user = project.users.get(recipient);
      return user && { suppressed: [101, 102].every((id) => user.unsubscribedChannelIds.includes(id)) };
    },
    recipients: () => [...project.users.keys()],
    optOut: (recipient) => project.add(recipient).unsubscribedChannelIds.push(101, 102),
    importContact(recipient) {
      if (!project.forgotten.has(recipient)) project.add(recipient);
    },
    isContact(recipient) {
      project.settle();
      return project.users.has(recipient);
    },
    add: (email, user) => Object.assign(project.add(email), user),
    of(email) {
      project.settle();
      return project.users.get(email);
    },
  };
}

class Project {
  readonly users = new Map<string, IterableUser>();
  readonly forgotten = new Set<string>();
  private readonly world: IterableWorld;
  private pending: { looks: number; apply: () => void }[] = [];

  constructor(world: IterableWorld) {
    this.world = world;
  }

  add(email: string): IterableUser {
    const before = this.users.get(email);
    const user = before ?? { emailListIds: [], unsubscribedChannelIds: [], unsubscribedMessageTypeIds: [] };
    this.users.set(email, user);
    return user;
  }

  settle(): void {
    for (const { apply } of this.pending.splice(0)) apply();
  }

  answer({ method, url, headers, body }: Call): Answer {
    if (headers['api-key'] !== KEY) return json(401, { code: 'BadApiKey', msg: 'Invalid API key' });
    switch (`${method} ${url.pathname}`) {
      case 'GET /api/channels':
        return json(200, { channels: this.world.channels ?? CHANNELS });
      case 'GET /api/messageTypes':
        return json(200, { messageTypes: TYPES.map((id) => ({ id, name: `type ${id}`, channelId: 101 })) });
      case 'GET /api/users/getByEmail':
        return this.find(url.searchParams.get('email') ?? '');
      case 'POST /api/users/forget':
        return this.forget((JSON.parse(body) as { email: string }).email);
      case 'POST /api/users/updateSubscriptions':
        return this.update(body);
      default:
        return json(404, { code: 'NotFound' });
    }
  }

  private find(email: string): Answer {
    for (const write of this.pending) write.looks -= 1;
    const due = this.pending.filter(({ looks }) => looks < 0);
    this.pending = this.pending.filter(({ looks }) => looks >= 0);
    for (const { apply } of due) apply();
    if (this.world.knowsAll && !this.forgotten.has(email)) this.add(email);
    const user = this.users.get(email);
    if (user) return json(200, { user: { email, userId: null, dataFields: { email, ...user } } });
    return this.world.unknown === 'error'
      ? json(400, { code: 'UnknownEmailError', msg: 'none' })
      : json(200, {});
  }

  private forget(email: string): Answer {
    if (!this.users.has(email)) return json(400, { code: 'UnknownEmailError', msg: 'none' });
    if (this.world.code) return json(200, { code: this.world.code, msg: '' });
    this.forgotten.add(email);
    this.pending.push({ looks: this.world.lag ?? 0, apply: () => void this.users.delete(email) });
    if (!this.world.lag) this.settle();
    return json(200, { code: 'Success', msg: '', params: null });
  }

  /** A list that is given replaces what was there. */
  private update(body: string): Answer {
    const { email, ...lists } = JSON.parse(body) as { email: string } & Partial<IterableUser>;
    if ('subscribedMessageTypeIds' in lists) throw new Error('somebody is subscribed');
    const user = this.users.get(email);
    if (!user) return json(400, { code: 'UnknownEmailError', msg: 'none' });
    if (this.world.code) return json(200, { code: this.world.code, msg: '' });
    this.pending.push({ looks: this.world.lag ?? 0, apply: () => void Object.assign(user, lists) });
    if (!this.world.lag) this.settle();
    return json(200, { code: 'Success', msg: '', params: null });
  }
}

const json = (status: number, body: object): Answer => ({ status, body: JSON.stringify(body) });
