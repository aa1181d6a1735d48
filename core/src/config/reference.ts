import { stringify } from 'yaml';
import { variableOf } from './environment.ts';
import { configJsonSchema, type JsonSchema } from './json-schema.ts';

/** pipeline.reference.yaml: every key with its default and what it means; keys without a default are commented out. */
export function referenceYaml(): string {
  const head = [
    '# Every key of the configuration with its default. Generated from core/src/config/schema.ts by `npm run gen`.',
    `# Any key can be set from the environment, e.g. ${variableOf(['kafka', 'clientId'])} for kafka.clientId.`,
    '# Secrets are env:NAME or file:/path.',
    '',
  ];
  return `${[...head, ...section(configJsonSchema, '', false)].join('\n')}\n`;
}

function section(schema: JsonSchema, indent: string, commented: boolean): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, child]) =>
    entry(key, child, indent, commented),
  );
}

function entry(key: string, schema: JsonSchema, indent: string, inComment: boolean): string[] {
  const mark = (off: boolean) => (off ? '# ' : '');
  const doc = schema.description ? [`${indent}# ${schema.description}`] : [];
  if (schema.properties) {
    const off = inComment || !('default' in schema);
    return [...doc, `${indent}${mark(off)}${key}:`, ...section(schema, `${indent}  `, off)];
  }
  const off = inComment || !('default' in schema);
  const lines = [...doc, `${indent}${mark(off)}${key}: ${valueText(schema)}`];
  return typeof schema.additionalProperties === 'object' && schema.additionalProperties.properties
    ? [...lines, `${indent}#  <name>:`, ...section(schema.additionalProperties, `${indent}#   `, false)]
    : lines;
}

function valueText(schema: JsonSchema): string {
  if ('default' in schema) return stringify(schema.default, { collectionStyle: 'flow' }).trim();
  if (schema.enum) return schema.enum.join(' | ');
  return schema.const === undefined ? `<${schema.type ?? 'any'}>` : String(schema.const);
}
