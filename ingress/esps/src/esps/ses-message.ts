import { metadataOf, metadataValue, text } from '../reading/fields.ts';
import { isObject, type JsonObject, listOf, objectOf, parseJson } from '../reading/json.ts';

// SES has tags with keys, so they are metadata. Plain tags and further metadata travel in headers, by a convention
// that several mail libraries share.
const TAG_HEADER = 'x-tag';
const METADATA_HEADER = 'x-metadata';
/** SES adds tags of its own to the sender's. */
const OWN_TAG = 'ses:';

export function headerTags(mail: JsonObject): string[] {
  return headerValues(mail, TAG_HEADER);
}

export function messageMetadata(mail: JsonObject): { [key: string]: string } {
  const metadata: { [key: string]: string } = {};
  for (const json of headerValues(mail, METADATA_HEADER)) Object.assign(metadata, metadataHeader(json));
  const tags = objectOf(mail.tags);
  for (const key of Object.keys(tags)) {
    if (key.startsWith(OWN_TAG)) continue;
    const values = tags[key];
    metadata[key] = metadataValue(Array.isArray(values) && values.length === 1 ? values[0] : values);
  }
  return metadata;
}

function metadataHeader(json: string): { [key: string]: string } {
  try {
    return metadataOf(parseJson(json));
  } catch {
    return {};
  }
}

function headerValues(mail: JsonObject, name: string): string[] {
  const values: string[] = [];
  for (const header of listOf(mail.headers)) {
    if (!isObject(header) || text(header.name)?.toLowerCase() !== name) continue;
    const value = text(header.value);
    if (value !== null) values.push(value);
  }
  return values;
}
