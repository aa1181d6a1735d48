import { z } from 'zod';
import { pipelineSchema } from './schema.ts';

/** The part of JSON Schema that the configuration's own description uses. */
export interface JsonSchema {
  type?: string;
  format?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  properties?: { [name: string]: JsonSchema };
  additionalProperties?: JsonSchema | boolean;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
}

export type Parsed = z.output<typeof pipelineSchema>;

/** A schema of the configuration: what checks it, and the same as data for what is derived from it. */
export interface ConfigSchema {
  readonly parser: z.ZodType<Parsed>;
  /** For names of variables, marks of secrets and files, the reference file. */
  readonly json: JsonSchema;
}

/** Of a schema that has at least what the pipeline's has, and like that one takes `{}`. */
export function configSchemaOf(parser: z.ZodType<Parsed>): ConfigSchema {
  return { parser, json: z.toJSONSchema(parser, { io: 'input' }) as JsonSchema };
}

export const pipelineConfigSchema = configSchemaOf(pipelineSchema);
export const configJsonSchema = pipelineConfigSchema.json;
