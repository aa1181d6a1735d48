package peer;

import org.apache.avro.generic.GenericData;

/** A record of the schema of normalized events, or of that of one type, and what the stages ask of it. */
record Event(String type, String id, Schemas.Typed schema, GenericData.Record fields) {}
