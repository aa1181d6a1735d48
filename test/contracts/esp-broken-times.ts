import { accountOf } from '@email-events/esps/accounts';
import type { LoadedFixture } from './esp-fixtures.ts';

// What it takes to break the time of a genuine request: where it is, how it is written, and how to sign the rest again.

/** Undefined: the field is taken away. */
export type Broken = undefined | string | Date;

/**
 * What a signer needs to make this request again with another time. Undefined: it says no time, or is no JSON and no query.
 * (Mailgun's forms from before 2018 take theirs out of the signature, so without it nothing is signed.)
 */
export function withTime({ esp, fixture }: LoadedFixture, broken: Broken): string | undefined {
  const { request } = fixture;
  if (request.method === 'GET') return inQuery(esp, request.url, broken);
  const text = Buffer.from(request.body, request.bodyEncoding ?? 'utf8').toString();
  const told = esp === 'mandrill' ? (new URLSearchParams(text).get('mandrill_events') ?? '') : text;
  const said = parsed(told);
  const content = esp === 'ses' ? parsed(String((said as { Message?: unknown } | null)?.Message)) : said;
  if (typeof content !== 'object' || content === null) return undefined;
  // The proof is made anew.
  const { signature: _, auth: __, ...unsigned } = content as { [name: string]: unknown };
  const changed = change(esp, Array.isArray(content) ? content : unsigned, broken);
  return changed.times === 0 ? undefined : JSON.stringify(changed.value);
}

function inQuery(esp: string, url: string, broken: Broken): string | undefined {
  const { token: _, ...said } = Object.fromEntries(new URLSearchParams(url.split('?')[1]));
  const { times, value } = change(esp, said, broken);
  return times === 0 ? undefined : String(new URLSearchParams(value as { [name: string]: string }));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Every field of the name, however deep. */
function change(esp: string, root: unknown, broken: Broken): { times: number; value: unknown } {
  const { names, as } = accountOf(esp).contract.times;
  const written = !(broken instanceof Date)
    ? broken
    : as === 'text'
      ? broken.toISOString()
      : broken.getTime() / 1000;
  let times = 0;
  const visit = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(visit);
    if (typeof value !== 'object' || value === null) return value;
    const fields = Object.entries(value).flatMap(([name, inner]) => {
      if (!names.includes(name) || typeof inner === 'object') return [[name, visit(inner)]];
      times++;
      return written === undefined ? [] : [[name, written]];
    });
    return Object.fromEntries(fields);
  };
  const value = visit(root);
  return { times, value };
}
