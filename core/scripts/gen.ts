import { writeFileSync } from 'node:fs';
import { referenceYaml } from '../src/config/reference.ts';
import { configJsonSchema } from '../src/config/schema.ts';
import { ERROR_CODES } from '../src/errors.ts';

writeFileSync(
  new URL('../../deploy/config/pipeline.reference.yaml', import.meta.url),
  referenceYaml(configJsonSchema),
);
writeFileSync(new URL('../ERRORS.md', import.meta.url), errorReference());

function errorReference(): string {
  const rows = Object.entries(ERROR_CODES).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`);
  return [
    '<!-- Generated from core/src/errors.ts by `npm run gen`. Do not edit. -->',
    '# Error codes',
    '',
    'What services and the command line say when something is wrong: in logs, dead letters, `/readyz` and metrics. Codes are',
    'stable, messages are for people. The ingress, the adapters of ESPs, the schemas and the local stack have further ones of',
    'their own: see [ingress](../ingress/README.md#codes), [esps](../ingress/esps/README.md#refusals-and-dead-letters),',
    '[schemas](../schemas/README.md#error-codes) and [stack](../deploy/dev/src/stack/README.md).',
    '',
    '| code | meaning |',
    '|---|---|',
    ...rows,
    '',
  ].join('\n');
}
