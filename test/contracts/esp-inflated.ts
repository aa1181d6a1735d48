import type { LoadedFixture } from './esp-fixtures.ts';

/** How a request is blown up: elements of each list, and characters of each text. */
export interface Inflation {
  readonly copies: number;
  readonly padding: number;
}

/** Lists in lists multiply here too. */
const MAX_ELEMENTS = 20_000;

/**
 * The request of a fixture with more of everything in it, as a sender might make it who wants to make much out of little: each list has
 * as many elements as `copies` says, each address is another one, each other text is longer. Undefined for one that is not made of lists
 * and texts, or that comes to more than `limit` bytes.
 */
export function inflated(
  { esp, fixture }: LoadedFixture,
  inflation: Inflation,
  limit: number,
): Buffer | undefined {
  const { body, bodyEncoding } = fixture.request;
  const text = Buffer.from(body, bodyEncoding ?? 'utf8').toString();
  const growth = new Growth(inflation);
  const grown = esp === 'ses' ? inflatedSns(text, growth) : inflatedBody(text, growth);
  if (growth.elements > MAX_ELEMENTS) return undefined;
  return grown !== undefined && grown.length <= limit ? Buffer.from(grown) : undefined;
}

function inflatedBody(text: string, growth: Growth): string | undefined {
  const parsed = parsedOrNothing(text);
  if (parsed !== undefined) return JSON.stringify(growth.of(parsed));
  if (!text.includes('=') || text.startsWith('--')) return undefined;
  const fields = [...new URLSearchParams(text)].map(([name, value]) => {
    const json = parsedOrNothing(value);
    const isJson = typeof json === 'object' && json !== null;
    return [name, isJson ? JSON.stringify(growth.of(json)) : value] as [string, string];
  });
  return new URLSearchParams(fields).toString();
}

function inflatedSns(text: string, growth: Growth): string | undefined {
  const envelope = parsedOrNothing(text) as { Message?: string } | undefined;
  const message = parsedOrNothing(envelope?.Message ?? '');
  if (message === undefined) return undefined;
  return JSON.stringify({ ...envelope, Message: JSON.stringify(growth.of(message)) });
}

class Growth {
  elements = 0;
  private readonly inflation: Inflation;

  constructor(inflation: Inflation) {
    this.inflation = inflation;
  }

  of(value: unknown, copy = 0): unknown {
    const { copies, padding } = this.inflation;
    if (typeof value === 'string') return grownText(value, padding, copy);
    if (typeof value !== 'object' || value === null) return value;
    if (!Array.isArray(value))
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, this.of(inner, copy)]));
    const count = value.length === 0 ? 0 : Math.max(copies, value.length);
    this.elements += count;
    if (this.elements > MAX_ELEMENTS) return [];
    return Array.from({ length: count }, (_, i) => this.of(value[i % value.length], copy * count + i));
  }
}

// A short text may be a name of a type, an id or a time, by which the rest is read.
function grownText(value: string, padding: number, copy: number): string {
  if (/^[^\s@<>]+@[^\s@<>]+$/.test(value)) return copy === 0 ? value : `${copy}.${value}`;
  return /^[A-Z][^:]* .*[a-z]/.test(value) && padding > 0 ? `${value} ${'x'.repeat(padding)}` : value;
}

function parsedOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
