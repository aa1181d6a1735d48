import type { EspAdapter } from './adapter.ts';
import { sendgrid } from './esps/sendgrid.ts';

/** Every ESP, one line each. Static: nothing a request says decides what is loaded. */
export const adapters: readonly EspAdapter[] = [sendgrid];

const BY_NAME: ReadonlyMap<string, EspAdapter> = new Map(adapters.map((adapter) => [adapter.name, adapter]));

export function findAdapter(name: string): EspAdapter | undefined {
  return BY_NAME.get(name);
}
