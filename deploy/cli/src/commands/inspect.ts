import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { codeOf, PipelineError } from '@email-events/core/errors';
import { findAdapter } from '@email-events/esps';
import { Command } from 'commander';
import { type Action, type CommonOptions, loadPipelineConfig, onRun } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { collect } from '../option-values.ts';
import { print, printLines } from '../output.ts';
import { jsonText } from '../terminal.ts';
import { type Credentials, createJudge, type Judge } from './inspect-judge.ts';
import { type InspectedRequest, parseFields, parseOptions, parseRequest } from './inspect-request.ts';

export function inspectCommand(): Command {
  const command = new Command('inspect')
    .description(
      'Show what the pipeline would do with a request, without any server: is it verified, which events are in it?\n' +
        'A FILE (- is standard input) is JSON: {"method","url","headers","body","bodyEncoding":"utf8"|"base64","receivedAt"?},\n' +
        'or a fixture of this repository, which says itself how it is verified.',
    )
    .argument('<file...>', 'requests; with --ndjson: files with one request a line')
    .option('--source <name>', 'a source of the configuration says how to verify')
    .option('--esp <name>', 'ESP, instead of a source; with --ndjson: for lines without "esp"')
    .option('--secret <value>', 'a valid secret; may be repeated', collect)
    .option('--option <key=value>', 'what else the ESP needs; repeat for a list, or give JSON', collect)
    .option(
      '--field <field=path>',
      'where campaign, variant, stream or user is from, as in `fields` of a source; may be repeated',
      collect,
    )
    .option(
      '--ndjson',
      'one request a line with its own "esp", "secrets", "options" and "fields"; one result a line',
      false,
    )
    .addHelpText(
      'after',
      '\n`fieldsFrom` tells where these were found, if not in the ESP’s own fields.\nExits 0 if every request is verified, 3 if not.',
    );
  return onRun<InspectOptions>(
    command,
    inspectAction,
    'inspect request.json --source sendgrid',
    'inspect request.json --esp mailgun --secret key-1234',
    'inspect request.json --esp ses --option topicArns=arn:aws:sns:eu-west-1:123456789012:events',
    'inspect request.json --source sendgrid --field campaign=metadata.mailing --field campaign=esp',
    'inspect ingress/esps/fixtures/mailgun/*.json',
    'inspect --ndjson - < requests.ndjson',
  );
}

export interface InspectOptions {
  readonly source?: string;
  readonly esp?: string;
  readonly secret?: readonly string[];
  readonly option?: readonly string[];
  readonly field?: readonly string[];
  readonly ndjson: boolean;
}

export const inspectAction: Action<InspectOptions> = async (options, files) => {
  const credentials = await credentialsFrom(options);
  const judge = createJudge(credentials, parseFields(options.field ?? []));
  const verified = options.ndjson
    ? await inspectLines(judge, files)
    : await inspectFiles(judge, files, toldBy(options), options);
  return verified ? EXIT.ok : EXIT.notVerified;
};

/** Credentials from the command line. An ESP alone leaves secrets and options to the file. */
type Told = 'nothing' | 'esp' | 'all';

function toldBy({ source, esp, secret, option }: InspectOptions): Told {
  if (source === undefined && esp === undefined) return 'nothing';
  return source === undefined && secret === undefined && option === undefined ? 'esp' : 'all';
}

async function credentialsFrom(options: InspectOptions & CommonOptions): Promise<Credentials | undefined> {
  const { source: name, esp, secret = [], option = [] } = options;
  if (name !== undefined && esp !== undefined) {
    throw new PipelineError('CLI_USAGE', 'reject', 'either --source or --esp, not both');
  }
  if (esp !== undefined) return { esp, secrets: secret, options: parseOptions(option) };
  // Then every request has to say it itself.
  if (name === undefined) return undefined;
  const { sources, normalize } = await loadPipelineConfig(options);
  const source = Object.hasOwn(sources, name) ? sources[name] : undefined;
  if (!source) {
    const known = Object.keys(sources).join(', ') || 'none';
    throw new PipelineError(
      'CLI_USAGE',
      'reject',
      `no source "${name}" in the configuration; there are: ${known}`,
    );
  }
  return {
    esp: source.esp,
    secrets: source.secrets.map((value) => value.reveal()),
    options: source.options,
    fields: source.fields,
    source: name,
    unverified: source.verification === 'none',
    timeBounds: { maxFutureMinutes: normalize.maxFutureMinutes, maxAgeDays: normalize.maxAgeDays },
  };
}

/** One JSON document a file; indented for people unless there are several, which are one a line. */
async function inspectFiles(
  judge: Judge,
  files: readonly string[],
  told: Told,
  { json }: CommonOptions,
): Promise<boolean> {
  let verified = true;
  for (const file of files) {
    const result = judge(requestToJudge(file, await readText(file), told));
    verified &&= result.verified;
    print(jsonText(result, json || files.length > 1 ? 0 : 2));
  }
  return verified;
}

/** Reads the request of a file. What the command line says takes precedence over what a line of --ndjson left in it. */
function requestToJudge(file: string, text: string, told: Told): InspectedRequest {
  const {
    request,
    esp = espOfFolder(file),
    secrets,
    options,
    fields,
  } = namingFile(file, () => parseRequest(text, Date.now));
  if (told === 'nothing') return { request, esp, secrets, options, fields };
  const own =
    told === 'esp'
      ? { secrets, options, fields }
      : { secrets: undefined, options: undefined, fields: undefined };
  return { request, esp: undefined, ...own };
}

/** Fixtures are in a folder that is called like their ESP. */
function espOfFolder(file: string): string | undefined {
  const name = basename(dirname(resolve(file)));
  return findAdapter(name) && name;
}

function namingFile<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    throw new PipelineError(error.code, error.disposition, `${file}: ${error.message}`, { cause: error });
  }
}

async function readText(file: string): Promise<string> {
  if (file === '-') return (await buffer(process.stdin)).toString();
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new PipelineError('CLI_USAGE', 'reject', `${file} cannot be read (${codeOf(cause)})`, { cause });
  }
}

const CHUNK_CHARS = 64 * 1024;

/** One result a line, in order; a line that is no request yields an error in its place. */
async function inspectLines(judge: Judge, files: readonly string[]): Promise<boolean> {
  let verified = true;
  let pending = '';
  for (const file of files) {
    const input = file === '-' ? process.stdin : createReadStream(file);
    for await (const line of linesOf(input)) {
      const result = judgeLine(judge, line);
      verified &&= 'verified' in result && result.verified;
      pending += `${jsonText(result)}\n`;
      if (pending.length < CHUNK_CHARS) continue;
      await printLines(pending);
      pending = '';
    }
  }
  await printLines(pending);
  return verified;
}

function judgeLine(judge: Judge, line: string) {
  try {
    return judge(parseRequest(line, Date.now));
  } catch (error) {
    return {
      error: { code: codeOf(error), message: error instanceof Error ? error.message : String(error) },
    };
  }
}

const LINE_FEED = 0x0a;

/**
 * Lines of a byte stream, split at line feeds only: JSON may hold U+2028, at which node:readline would split too.
 * Blank lines are left out, as is a carriage return at the end.
 */
export async function* linesOf(input: AsyncIterable<Buffer | string>): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  for await (const chunk of input) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    let start = 0;
    for (let end = bytes.indexOf(LINE_FEED); end !== -1; end = bytes.indexOf(LINE_FEED, start)) {
      const line = textOf([...rest, bytes.subarray(start, end)]);
      rest = [];
      start = end + 1;
      if (line !== '') yield line;
    }
    if (start < bytes.length) rest.push(bytes.subarray(start));
  }
  const last = textOf(rest);
  if (last !== '') yield last;
}

const textOf = (parts: readonly Buffer[]) => Buffer.concat(parts).toString('utf8').trim();
