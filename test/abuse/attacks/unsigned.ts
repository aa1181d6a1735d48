import { gzipSync } from 'node:zlib';
import type { SimulatedEsp, WireRequest } from '@email-events/dev/simulate';
import { findAdapter } from '@email-events/esps';
import { pathOf } from '../account.ts';
import { ALL_ESPS, draftOf } from '../story.ts';
import { type Attack, without } from './attack.ts';

const MEGABYTE = Buffer.from(`[${'{"event":"delivered","email":"a@example.com"},'.repeat(22_000)}{}]`);
const BOMB = gzipSync(Buffer.alloc(50_000_000, ' '));
const POSTING = without(ALL_ESPS, 'elasticemail');

/** To the honest accounts' own webhooks, which have the names of the ESPs. */
const unsigned = (esp: SimulatedEsp, body: Buffer, headers: WireRequest['headers'] = {}): WireRequest => ({
  ...{ method: 'POST', path: pathOf(esp), body },
  headers: { 'content-type': contentTypeOf(esp), ...headers },
});

export const contentTypeOf = (esp: SimulatedEsp) =>
  findAdapter(esp)?.http.contentTypes[0] ?? 'application/json';

const bigAndUnsigned: Attack = {
  ...{ name: 'an unsigned body of 1 MB', share: 4, answer: 'refused', esps: POSTING },
  blow: (esp) => [unsigned(esp, MEGABYTE.subarray(0, 1_000_000))],
};

/** Every header that a signature may be in is there, and none is right. */
const wronglySigned: Attack = {
  ...{ name: 'signed by another key', share: 4, answer: 'refused', esps: ALL_ESPS },
  blow(esp, { hostile, next, run }) {
    const id = next();
    const draft = draftOf(esp, [{ type: 'bounced', recipient: `f${id}.${run}@example.com`, id, run }]);
    const request = hostile.request(esp, draft);
    return [{ ...request, path: request.path.replace(pathOf(hostile.sourceOf(esp)), pathOf(esp)) }];
  },
};

const bomb: Attack = {
  ...{ name: 'a bomb of gzip', share: 2, answer: 'refused', esps: POSTING },
  blow: (esp) => [unsigned(esp, BOMB, { 'content-encoding': 'gzip' })],
};

const hugeHeaders: Attack = {
  ...{ name: 'headers of 60 kB', share: 2, answer: 'refused', esps: POSTING },
  blow: (esp) => [unsigned(esp, Buffer.from('[]'), { 'x-padding': 'x'.repeat(60_000) })],
};

/** Mailgun's signature covers a token and a time, not what is reported: who has seen one can put it before anything. */
const replayedToken: Attack = {
  ...{ name: 'an honest token before another body', share: 3, answer: 'refused', esps: ['mailgun'] },
  blow(esp, { overheard, next, run }) {
    const heard = overheard(esp);
    if (!heard) return [];
    const id = next();
    const signature = /"signature":(\{[^}]*\})/.exec(heard.body.toString())?.[1] ?? '{}';
    const event = { id: `${run}-${id}`, event: 'complained', recipient: `r${id}.${run}@example.com` };
    const body = `{"signature":${signature},"event-data":${JSON.stringify({ ...event, timestamp: Date.now() / 1_000 })}}`;
    return [{ ...heard, body: Buffer.from(body) }];
  },
};

/** The same request again, byte for byte, from whoever has seen it: it says nothing new. */
const replayed: Attack = {
  ...{ name: 'an honest request once more', share: 4, answer: 'any' },
  esps: ['sendgrid', 'mailgun', 'ses', 'postmark', 'standard-webhooks'],
  blow(esp, { overheard }) {
    const heard = overheard(esp);
    return heard ? [heard] : [];
  },
};

export const unsignedAttacks: readonly Attack[] = [
  ...[bigAndUnsigned, wronglySigned, bomb, hugeHeaders, replayedToken, replayed],
];
