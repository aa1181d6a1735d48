import { createReadStream } from 'node:fs';
import { PipelineError } from '@email-events/core/errors';
import { keyOfAddress } from '@email-events/schemas';
import { CsvError, parse } from 'csv-parse';
import { unguarded } from '../csv.ts';

/** Where an ESP's list has what is taken of it: names of columns, as its header says them. */
export interface Columns {
  readonly email: string;
  readonly reason?: string | undefined;
  readonly date?: string | undefined;
}

interface EspList extends Columns {
  /** A column that tells of recipients who left some mail only, and its values that mean so. */
  readonly leftSome?: { readonly column: string; readonly means: (value: string) => boolean };
  /** Where that is documented. */
  readonly documented: string;
}

/**
 * Lists of ESPs whose columns their documentation names (read in November 2026): for an import into the ESP's own lists, or as the fields of the
 * call that lists them. Another list is taken by naming its columns.
 */
export const ESP_LISTS = {
  mailgun: {
    ...{ email: 'address', reason: 'error', date: 'created_at' },
    // Tags; * is all mail of the domain.
    leftSome: { column: 'tags', means: (tags) => tags !== '' && tags !== '*' },
    documented: 'https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/bounces',
  },
  postmark: {
    ...{ email: 'EmailAddress', reason: 'SuppressionReason', date: 'CreatedAt' },
    // An unsubscribe is of the message stream that the list is of.
    leftSome: { column: 'SuppressionReason', means: (reason) => reason === 'ManualSuppression' },
    documented: 'https://postmarkapp.com/developer/api/suppressions-api',
  },
  sendgrid: {
    ...{ email: 'email', reason: 'reason', date: 'created' },
    documented: 'https://www.twilio.com/docs/sendgrid/api-reference/bounces-api',
  },
  ses: {
    ...{ email: 'EmailAddress', reason: 'Reason', date: 'LastUpdateTime' },
    documented:
      'https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SuppressedDestinationSummary.html',
  },
  /** What `suppressions export` writes. */
  'email-events': { ...{ email: 'recipient', reason: 'reason', date: 'since' }, documented: '' },
} as const satisfies { readonly [esp: string]: EspList };

export type ListName = keyof typeof ESP_LISTS;

export interface ListFile {
  readonly file: string;
  readonly list: ListName | undefined;
  /** In place of those of the list. */
  readonly columns: Partial<Columns>;
  /** Which mail is suppressed; undefined: all, and what only some mail was left of is not taken. */
  readonly scope: string | undefined;
}

/** A line of the file. Lines count from 1, the header included. */
export type ListLine =
  | { readonly line: number; readonly recipient: string; readonly scope: string; readonly said: string }
  | { readonly line: number; readonly problem: string };

const MAX_RECORD_CHARACTERS = 65_536;
/** What is kept of a list's own words. */
const MAX_SAID = 60;

/**
 * The lines of a CSV file, one after the other: what is not wanted any more is not kept. A line that cannot be understood says so; the
 * others are taken. Throws CLI_USAGE for a file that cannot be read, lacks a column, or is no CSV from some line on: of what follows a
 * quote that never ends nobody knows where a line begins.
 */
export async function* linesOf(from: ListFile): AsyncGenerator<ListLine> {
  const parser = parse({
    ...{ bom: true, columns: false, info: true, trim: true, skip_empty_lines: true },
    ...{ relax_column_count: true, relax_quotes: true, max_record_size: MAX_RECORD_CHARACTERS },
  });
  const input = createReadStream(from.file);
  input.on('error', (error) => parser.destroy(error));
  let reader: Reader | undefined;
  try {
    for await (const { record, info } of input.pipe(parser) as AsyncIterable<Parsed>) {
      if (reader) yield reader.read(record, info.lines);
      else reader = new Reader(from, record);
    }
  } catch (error) {
    throw unreadable(from.file, error);
  } finally {
    input.destroy();
  }
  if (!reader) throw usage(`${from.file} has no header`);
}

interface Parsed {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

/** Reads lines by the header. */
class Reader {
  private readonly scope: string | undefined;
  private readonly header: readonly string[];
  private readonly email: number;
  private readonly reason: number;
  private readonly date: number;
  private readonly leftSome: ((record: readonly string[]) => boolean) | undefined;

  constructor({ file, list, columns, scope }: ListFile, header: readonly string[]) {
    this.header = header.map((name) => name.trim());
    this.scope = scope;
    const known: EspList | undefined = list && ESP_LISTS[list];
    const named = { ...known, ...columns };
    if (named.email === undefined)
      throw usage('name the list with --from, or its column with --column email=NAME');
    this.email = this.indexOf(named.email);
    if (this.email === -1)
      throw usage(`${file} has no column ${named.email}; it has ${this.header.join(', ')}`);
    // Of a list that is known, what only describes may be missing; what is named must be there.
    this.reason = this.indexOf(named.reason);
    this.date = this.indexOf(named.date);
    for (const [name, at] of [[columns.reason, this.reason] as const, [columns.date, this.date] as const])
      if (name !== undefined && at === -1)
        throw usage(`${file} has no column ${name}; it has ${this.header.join(', ')}`);
    const { leftSome } = known ?? {};
    const at = this.indexOf(leftSome?.column);
    this.leftSome = leftSome && ((record) => leftSome.means((record[at] ?? '').trim()));
  }

  read(record: readonly string[], line: number): ListLine {
    if (record.length !== this.header.length)
      return { line, problem: `has ${record.length} columns, the header has ${this.header.length}` };
    const recipient = keyOfAddress(unguarded(record[this.email] ?? ''));
    if (recipient === undefined) return { line, problem: 'no email address' };
    if (this.scope === undefined && this.leftSome?.(record))
      return { line, problem: 'left some mail only: say with --scope which stream is meant' };
    const said = [this.reason, this.date]
      .map((at) => (record[at] ?? '').trim())
      .filter((text) => text !== '');
    return {
      line,
      recipient,
      scope: this.scope ?? 'all',
      said: said.join(', ').slice(0, MAX_SAID).toWellFormed(),
    };
  }

  private indexOf(column: string | undefined): number {
    return column === undefined
      ? -1
      : this.header.findIndex((name) => name.toLowerCase() === column.toLowerCase());
  }
}

function unreadable(file: string, error: unknown): unknown {
  if (error instanceof CsvError) {
    const { lines } = error as { lines?: number };
    return usage(`${file} is no CSV${lines === undefined ? '' : ` at line ${lines}`}: ${error.code}`);
  }
  const { code } = error as { code?: string };
  return error instanceof PipelineError || code === undefined
    ? error
    : usage(`${file} cannot be read: ${code}`);
}

const usage = (message: string) => new PipelineError('CLI_USAGE', 'reject', message);
