import type { CrmAdapter } from '../adapter.ts';
import type { CrmSettings } from '../settings.ts';
import { createHttpAdapter } from './http.ts';

/** The adapter of each kind that the configuration can name. */
const ADAPTERS = {
  http: (settings, now) => createHttpAdapter({ ...settings, now }),
} satisfies { [K in CrmSettings['kind']]: (settings: CrmSettings, now: () => number) => CrmAdapter };

export function createAdapter(settings: CrmSettings, now: () => number = Date.now): CrmAdapter {
  return ADAPTERS[settings.kind](settings, now);
}
