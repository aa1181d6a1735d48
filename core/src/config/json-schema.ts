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
}

/** The configuration's schema as data, for what is derived from it: variable names, secrets, the reference file. */
export const configJsonSchema = z.toJSONSchema(pipelineSchema, { io: 'input' }) as JsonSchema;
