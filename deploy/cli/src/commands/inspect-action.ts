import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { codeOf, PipelineError } from '@email-events/core/errors';
import { findAdapter } from '@email-events/esps';
import { type Action, type CommonOptions, loadPipelineConfig } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { print, printLines } from '../output.ts';
import { jsonText } from '../terminal.ts';
import { type Credentials, createJudge, type Judge } from './inspect-judge.ts';
import { type InspectedRequest, parseFields, parseOptions, parseRequest } from './inspect-request.ts';
import { linesOf } from './lines.ts';

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

/** What the command line says about verification. An ESP alone leaves secrets and options to the file. */
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

/** What the command line says counts, not what is left in a file from a line of --ndjson. */
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
