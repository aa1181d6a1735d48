import { stringify } from 'yaml';
import { variableOf } from './environment.ts';
import type { JsonSchema } from './json-schema.ts';

/** pipeline.reference.yaml: every key with its default and what it means; keys without a default are commented out. */
export function referenceYaml(schema: JsonSchema): string {
  const head = [
    '# Every key of the configuration with its default. Generated from the config.ts of each service by `npm run gen`.',
    `# Any key can be set from the environment, e.g. ${variableOf(['kafka', 'clientId'])} for kafka.clientId.`,
    '# Secrets are env:NAME or file:/path.',
    '',
  ];
  return `${[...head, ...section(schema)].join('\n')}\n`;
}

const section = (schema: JsonSchema): string[] =>
  Object.entries(schema.properties ?? {}).flatMap(([key, child]) => entry(key, child));

/** Settings without a default are in a comment: without its `# ` each line is YAML again. */
function entry(key: string, schema: JsonSchema): string[] {
  const doc = schema.description ? [`# ${schema.description}`] : [];
  const lines = setting(key, schema);
  return [...doc, ...('default' in schema ? lines : lines.map(comment))];
}

function setting(key: string, schema: JsonSchema): string[] {
  if (schema.properties) return [`${key}:`, ...section(schema).map(indent)];
  const { additionalProperties } = schema;
  const line = `${key}: ${valueText(schema)}`;
  if (typeof additionalProperties !== 'object' || !additionalProperties.properties) return [line];
  return [line, ...['<name>:', ...section(additionalProperties).map(indent)].map(indent).map(comment)];
}

const indent = (line: string) => `  ${line}`;
const comment = (line: string) => `# ${line}`;

function valueText(schema: JsonSchema): string {
  if ('default' in schema)
    return stringify(schema.default, { collectionStyle: 'flow', flowCollectionPadding: false }).trim();
  if (schema.enum) return schema.enum.join(' | ');
  if (schema.anyOf) return `<${schema.anyOf.map(({ type }) => type ?? 'any').join(' | ')}>`;
  return schema.const === undefined ? `<${schema.type ?? 'any'}>` : String(schema.const);
}
