import type { EspAdapter } from './adapter.ts';
import { adapters } from './adapters.gen.ts';

export { adapters };

const BY_NAME: ReadonlyMap<string, EspAdapter> = new Map(adapters.map((adapter) => [adapter.name, adapter]));

/** Static: nothing that a request says decides what is loaded. */
export function findAdapter(name: string): EspAdapter | undefined {
  return BY_NAME.get(name);
}
