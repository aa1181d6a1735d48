import { z } from 'zod';

/** Names that stand in URLs, headers and ids. */
export const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

export const port = (fallback: number, description: string) =>
  z.int().min(0).max(65_535).default(fallback).describe(`${description} 0: any free port.`);

/** The port on which every service answers about its health, readiness and metrics. */
export const adminPort = (fallback: number, description = 'Port of /healthz, /readyz and /metrics.') =>
  port(fallback, description);

export const ms = (fallback: number, description: string) =>
  z.int().min(1).default(fallback).describe(`${description} Milliseconds.`);

export const count = (fallback: number, description: string) =>
  z.int().min(1).default(fallback).describe(description);

/** An address shows in logs and status displays, which secrets must not. */
export const address = () =>
  z.url().refine((url) => !holdsCredentials(url), {
    error: 'must not hold a user name or password: addresses show in logs',
  });

/** A section that refuses keys it does not know and may be left out: each of its keys has a default. */
export const section = <S extends z.ZodRawShape>(shape: S, description: string) =>
  z
    .strictObject(shape)
    .prefault({} as never)
    .describe(description);

function holdsCredentials(url: string): boolean {
  // z.url() has reported a text that is no URL.
  const parsed = URL.parse(url);
  return parsed !== null && (parsed.username !== '' || parsed.password !== '');
}
