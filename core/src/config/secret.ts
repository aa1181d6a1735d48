import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';

/** A value that never shows in a log, an error or JSON. */
export class Secret {
  #value: string | (() => string);

  /** Takes the value, or a function that gets it when `reveal` is first called. */
  constructor(value: string | (() => string)) {
    this.#value = value;
  }

  /** Reads the value if that was not done yet, and throws what the reading throws. */
  reveal(): string {
    if (typeof this.#value !== 'string') this.#value = this.#value();
    return this.#value;
  }

  /** False until `reveal` is first called on a secret that is read late. */
  get isRead(): boolean {
    return typeof this.#value === 'string';
  }

  toString(): string {
    return '***';
  }

  toJSON(): string {
    return '***';
  }

  [inspect.custom](): string {
    return '***';
  }
}

export type Env = { readonly [name: string]: string | undefined };

/**
 * Resolves `env:NAME` and `file:/path`, each without one trailing line end; any other text stands for itself.
 * Throws with a message that names the place, never the value.
 */
export function resolveSecret(reference: string, env: Env): string {
  const value = dereference(reference, env);
  if (value.trim() === '') throw new Error(`${describe(reference)} is empty`);
  return value;
}

/** Whether a text says where a secret is; any other is the secret itself. */
export const isReference = (text: string): boolean => /^(env|file):/.test(text);

/** Editors, `echo` and secrets of orchestrators leave a line end behind a secret. */
export const withoutLineEnd = (text: string): string => text.replace(/\r?\n$/, '');

function dereference(reference: string, env: Env): string {
  if (reference.startsWith('env:')) {
    const value = env[reference.slice(4)];
    if (value === undefined) throw new Error(`environment variable ${reference.slice(4)} is not set`);
    return withoutLineEnd(value);
  }
  if (reference.startsWith('file:')) {
    try {
      return withoutLineEnd(readFileSync(reference.slice(5), 'utf8'));
    } catch {
      throw new Error(`file ${reference.slice(5)} cannot be read`);
    }
  }
  return reference;
}

const describe = (reference: string) => (isReference(reference) ? reference : 'the secret');
