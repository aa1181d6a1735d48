import { CORE_CODES } from '@email-events/core/codes';
import type { CodeTable } from '@email-events/core/errors';
import { CLI_CODES } from './codes.ts';
import { type Services, services } from './services.ts';

/** Every error code that services and the command line give, by its owner. */
export const codeTablesOf = (all: Services): { readonly [owner: string]: CodeTable } => ({
  'every service': CORE_CODES,
  ...Object.fromEntries(all.map(({ name, codes }) => [name, codes])),
  'command line': CLI_CODES,
});

export const codeTables = codeTablesOf(services);
