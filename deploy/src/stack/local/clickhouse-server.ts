import { libchdbPath } from 'chdb/libchdb';
import { DataType, load, open } from 'ffi-rs';

/**
 * Main file of a ClickHouse server process: npm's chdb carries the whole engine, and clickhouse-local, which it
 * exports as a function, can listen for HTTP. Arguments: data folder, port, configuration file.
 *
 * The function returns when its query ends. So the query waits for ever, and SIGTERM kills the query: then the
 * engine flushes and shuts down in order. Standard input must be /dev/null; a pipe hangs the engine's start.
 */
const KEEPALIVE =
  "SELECT 'keepalive', sleepEachRow(1) FROM system.numbers " +
  'SETTINGS max_block_size = 1, max_threads = 1 FORMAT Null';
// The pattern must not match the query that carries it.
const END_KEEPALIVE = "KILL QUERY WHERE query LIKE '%''keep' || 'alive''%'";
const LIBRARY = 'chdb';

const [path, port, config] = process.argv.slice(2);
if (!path || !port || !config) {
  process.stderr.write('usage: clickhouse-server.ts DATA_DIR PORT CONFIG_FILE\n');
  process.exit(2);
}

process.on('SIGTERM', () => void endKeepalive(port));

open({ library: LIBRARY, path: libchdbPath() });
await load({
  library: LIBRARY,
  funcName: 'chdb_query_cmdline',
  retType: DataType.External,
  paramsType: [DataType.I32, DataType.StringArray],
  paramsValue: commandLine([
    'clickhouse',
    `--path=${path}`,
    `--config-file=${config}`,
    '--listen_host=127.0.0.1',
    `--http_port=${port}`,
    '--log-level=warning',
    ...['--query', `SYSTEM START LISTEN HTTP; ${KEEPALIVE}`],
  ]),
  // The call blocks; the event loop must stay free for SIGTERM.
  runInNewThread: true,
});
process.exit(0);

function commandLine(args: string[]): [number, string[]] {
  return [args.length, args];
}

/** Should it fail, whoever sent the signal kills the process after a while. */
async function endKeepalive(httpPort: string): Promise<void> {
  try {
    await fetch(`http://127.0.0.1:${httpPort}/`, {
      method: 'POST',
      body: END_KEEPALIVE,
      headers: { connection: 'close' },
    });
  } catch (error) {
    process.stderr.write(`the keepalive query cannot be ended: ${error}\n`);
  }
}
