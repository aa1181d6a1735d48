import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { PipelineError } from '@email-events/core';

/** One numbered SQL file. Never edited once it is released: what comes later is another file. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  /** SHA-256 of the file. */
  readonly checksum: string;
  readonly sql: string;
}

const FOLDER = new URL('../migrations/', import.meta.url);

/** The files of the folder, `0001_name.sql`, in order. */
export function readMigrations(folder: URL = FOLDER): Migration[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file, index) => {
      const [, number, name] = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file) ?? [];
      if (!number || !name || Number(number) !== index + 1) {
        throw new PipelineError('SINK_CLICKHOUSE_MIGRATION_EDITED', 'fatal', `${file}: not the next number`);
      }
      const sql = readFileSync(new URL(file, folder), 'utf8');
      return { version: Number(number), name, checksum: createHash('sha256').update(sql).digest('hex'), sql };
    });
}
