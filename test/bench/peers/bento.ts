import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { choosePorts } from '@email-events/dev/stack';
import { type Measured, stopped } from '../ingress-process.ts';

export const BENTO_VERSION = 'v1.15.0';
const MODULE = 'github.com/warpstreamlabs/bento';

/** Where programs of peers are kept: outside of the checkout, so that none is ever committed, and every checkout finds them. */
const PEERS =
  process.env.EMAIL_EVENTS_PEERS ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'email-events', 'peers');

/**
 * The program in the pinned version, built by Go when it is not there. BENTO=FILE is another one, at one's own risk.
 * Throws an error that says how to get what is missing.
 */
export async function findBento(): Promise<string> {
  const given = process.env.BENTO;
  if (given !== undefined) return given;
  const folder = join(PEERS, `bento-${BENTO_VERSION}`);
  const program = join(folder, 'bento');
  if (existsSync(program)) return program;
  const go = ['go', '/usr/local/go/bin/go'].find((file) => spawnSync(file, ['version']).error === undefined);
  if (go === undefined) {
    throw new Error(
      `Bento ${BENTO_VERSION} is not there, and no Go to build it: install Go (Debian: apt-get install golang), or name a program by BENTO=FILE`,
    );
  }
  process.stdout.write(`building Bento ${BENTO_VERSION} in ${folder}: some minutes, once\n`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'go.mod'), `module peers\n\ngo 1.25\n\nrequire ${MODULE} ${BENTO_VERSION}\n`);
  writeFileSync(join(folder, 'main.go'), MAIN);
  await build(go, folder);
  return program;
}

/**
 * Bento's own command line with the components that are used here, as its documentation says to build a distribution: all of them are
 * some thousand packages to compile. The pipeline that runs is the same.
 */
const MAIN = `package main

import (
	"context"

	"${MODULE}/public/service"

	_ "${MODULE}/public/components/io"
	_ "${MODULE}/public/components/kafka"
	_ "${MODULE}/public/components/pure"
)

func main() { service.RunCLI(context.Background()) }
`;

function build(go: string, folder: string): Promise<void> {
  const args = ['build', '-mod=mod', '-trimpath', '-o', 'bento.new', '.'];
  const child = spawn(go, args, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code !== 0)
        return reject(new Error(`Bento ${BENTO_VERSION} could not be built: go ended with ${code}`));
      renameSync(join(folder, 'bento.new'), join(folder, 'bento'));
      resolve();
    });
  });
}

export interface BentoPipeline {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly path: string;
  /** Of the signature: HMAC-SHA256 of the body, in hex. As HTTP writes it: Mailtrap-Signature. */
  readonly header: string;
  readonly secret: string;
  readonly connections: number;
}

/**
 * What the ingress does, as a Bento pipeline: the same signature, 401 for a wrong one, the same three headers on the record, and 200
 * when the broker has acknowledged it (acks=all). See README.md for what is not equal.
 */
function configOf(pipeline: BentoPipeline, port: number): object {
  const { brokers, topic, path, header, secret, connections } = pipeline;
  return {
    http: { enabled: false },
    logger: { level: 'ERROR' },
    input: {
      http_server: {
        address: `127.0.0.1:${port}`,
        path,
        allowed_verbs: ['POST'],
        timeout: '30s',
        sync_response: { status: interpolated('metadata("status").or("200")') },
      },
    },
    pipeline: {
      processors: [
        { mapping: mappingOf(header, secret) },
        {
          switch: [
            {
              check: 'metadata("status").or("200") == "401"',
              processors: [{ mapping: 'root = ""' }, { sync_response: {} }, { mapping: 'root = deleted()' }],
            },
          ],
        },
      ],
    },
    output: {
      kafka_franz: {
        seed_brokers: brokers,
        topic,
        metadata: { include_patterns: ['^(request-id|source|request)$'] },
        // All that can be under way: what waits here, the client sends together.
        max_in_flight: 2 * connections,
        ...BENTO_OUTPUT,
      },
    },
  };
}

/** A query of Bento's language in a setting. */
const interpolated = (query: string) => `\${! ${query} }`;

/** As the ingress: records are not numbered, so one whose answer was lost may be there twice. */
const BENTO_OUTPUT = { idempotent_write: false };

function mappingOf(header: string, secret: string): string {
  return `let genuine = content().hash("hmac_sha256", ${JSON.stringify(secret)}).encode("hex") == metadata(${JSON.stringify(header)}).or("")
meta status = if $genuine { deleted() } else { "401" }
meta "request-id" = uuid_v4()
meta source = "bench"
meta request = {
  "esp": "mailtrap",
  "account": null,
  "identityVersion": 1,
  "receivedAt": timestamp_unix_milli(),
  "method": metadata("http_server_verb"),
  "url": metadata("http_server_request_path"),
  "contentType": metadata("Content-Type").or(null),
  "remoteAddress": metadata("http_server_remote_ip").or(null),
  "headers": {}
}.format_json(no_indent: true).string()`;
}

/** Resolves when it takes requests. */
export async function startBento(program: string, pipeline: BentoPipeline, dir: string): Promise<Measured> {
  const { bento: port } = await choosePorts({ bento: {} });
  const file = join(dir, 'bento.json');
  writeFileSync(file, JSON.stringify(configOf(pipeline, port)));
  const child = spawn(program, ['-c', file], { stdio: ['ignore', 'inherit', 'inherit'] });
  let ended: string | undefined;
  child.once('error', (error) => {
    ended = error.message;
  });
  child.once('exit', (code) => {
    ended = `it ended with ${code}`;
  });
  await answering(`http://127.0.0.1:${port}${pipeline.path}`, () => ended);
  return { pid: child.pid ?? 0, port, stop: () => stopped(child) };
}

const START_MS = 30_000;
const LOOK_MS = 100;

async function answering(url: string, ended: () => string | undefined): Promise<void> {
  for (const deadline = performance.now() + START_MS; ; await pause(LOOK_MS)) {
    const problem = ended() ?? (performance.now() > deadline ? `no answer within ${START_MS} ms` : undefined);
    if (problem !== undefined) throw new Error(`Bento does not run: ${problem}`);
    const answer = await fetch(url).catch(() => undefined);
    await answer?.arrayBuffer();
    // It takes POST only.
    if (answer?.status === 405) return;
  }
}
