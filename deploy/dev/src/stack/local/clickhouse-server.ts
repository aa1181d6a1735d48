import { execFileSync } from 'node:child_process';
import { openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { libchdbPath } from 'chdb/libchdb';
import { DataType, load, open } from 'ffi-rs';

/**
 * Main file of a ClickHouse server process: npm's chdb carries the whole engine, and clickhouse-local, which it
 * exports as a function, can listen for HTTP and for the native protocol. Also the server of the image that stands in
 * for ClickHouse's own, so it imports nothing of the project.
 *
 *     clickhouse-server.ts --path DATA_DIR --config FILE --listen HTTP [--listen TCP] [--first SQL …] [-- ENGINE_OPTION …]
 *
 * The function returns when its query ends, and the engine flushes and shuts down in order. So the query reads a line
 * from a pipe, which SIGTERM writes. Standard input must be /dev/null; a pipe there hangs the engine's start.
 */
const LIBRARY = 'chdb';
const PIPE = 'stop.fifo';

const { values, positionals } = parseArgs({
  options: {
    path: { type: 'string' },
    config: { type: 'string' },
    /** Protocols of the ports that the configuration and the options of the engine name. */
    listen: { type: 'string', multiple: true, default: [] },
    /** Run before it listens. */
    first: { type: 'string', multiple: true, default: [] },
  },
  allowPositionals: true,
});
const { path, config, listen, first } = values;
if (!path || !config || listen.length === 0) {
  process.stderr.write('usage: clickhouse-server.ts --path DATA_DIR --config FILE --listen HTTP\n');
  process.exit(2);
}

const pipe = join(path, PIPE);
rmSync(pipe, { force: true });
execFileSync('mkfifo', [pipe]);
// For both directions, so that it waits for no reader, and a line written before the query reads is not lost.
const end = openSync(pipe, 'r+');
let asked = false;
process.on('SIGTERM', () => {
  asked = true;
  writeSync(end, 'end\n');
});

open({ library: LIBRARY, path: libchdbPath() });
await load({
  library: LIBRARY,
  funcName: 'chdb_query_cmdline',
  retType: DataType.External,
  paramsType: [DataType.I32, DataType.StringArray],
  paramsValue: commandLine([
    'clickhouse',
    ...[`--path=${path}`, `--config-file=${config}`, '--log-level=warning', ...positionals],
    ...['--query', [...first, ...listen.map((name) => `SYSTEM START LISTEN ${name}`), waiting()].join('; ')],
  ]),
  // The call blocks; the event loop must stay free for SIGTERM.
  runInNewThread: true,
});
rmSync(pipe, { force: true });
// It said why on standard error.
process.exit(asked ? 0 : 1);

function commandLine(args: string[]): [number, string[]] {
  return [args.length, args];
}

/** One row is enough, and it must not wait for a buffer to fill. A time limit of the user's profile is not meant for it. */
function waiting(): string {
  const file = `file('${pipe.replaceAll(/['\\]/g, '\\$&')}', 'LineAsString', 'line String')`;
  const settings = {
    storage_file_read_method: "'read'",
    max_block_size: 1,
    max_read_buffer_size: 64,
    max_threads: 1,
    max_execution_time: 0,
    input_format_parallel_parsing: 0,
  };
  const list = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  return `SELECT * FROM ${file} LIMIT 1 SETTINGS ${list.join(', ')} FORMAT Null`;
}
