import { writeFileSync } from 'node:fs';
import { referenceYaml } from '@email-events/core/config';
import { markdownTable } from '@email-events/schemas/tools';
import { codeTables } from '../src/code-tables.ts';
import { imageRoles } from '../src/image-roles.ts';
import { pipelineConfig, services } from '../src/services.ts';

// What is made of the list of services. Every service is in it, so no file of these is edited by hand.

const write = (path: string, text: string) =>
  writeFileSync(new URL(`../../../${path}`, import.meta.url), text);

write('deploy/config/pipeline.reference.yaml', referenceYaml(pipelineConfig.schema.json));
write('deploy/ERRORS.md', errorReference());
write('deploy/images/email-events/roles', imageRoles());
write('core/src/config/known-sections.gen.ts', knownSections());

function errorReference(): string {
  const rows = Object.entries(codeTables).flatMap(([owner, codes]) =>
    Object.entries(codes).map(([code, meaning]) => [`\`${code}\``, owner, meaning]),
  );
  return [
    '<!-- Generated from the codes.ts of each owner by `npm run gen`. Do not edit. -->',
    '# Error codes',
    '',
    'What services and the command line say when something is wrong: in logs, dead letters, `/readyz` and metrics. Codes are',
    'stable, messages are for people. How the ingress answers to each of its own is in [ingress](../ingress/README.md#codes). The',
    'adapters of ESPs, the schemas, the local pipeline and its components have further ones: see',
    '[esps](../ingress/esps/README.md#refusals-and-dead-letters), [schemas](../schemas/README.md#error-codes),',
    '[dev](dev/ERRORS.md) and [stack](dev/src/stack/README.md).',
    '',
    markdownTable([['code', 'given by', 'meaning'], ...rows]),
  ].join('\n');
}

function knownSections(): string {
  return [
    '// Generated from the descriptors of all services by `npm run gen`. Do not edit.',
    '',
    '/** Sections of the services: names alone, by which a service tells another’s section from a misspelt key. */',
    'export const KNOWN_SECTIONS: readonly string[] = [',
    ...services.map(({ section }) => `  '${section}',`),
    '];',
    '',
  ].join('\n');
}
