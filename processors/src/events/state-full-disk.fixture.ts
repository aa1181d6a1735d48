import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { OnePartition } from './one-partition.fixture.ts';

// Runs one partition on a disk that becomes full, with a bit more room each time beyond what its store has by then. A limit on
// the size of this process's files is as good as a disk that is full. Prints as JSON what became of each.
const [, , folder = '', rooms = '1'] = process.argv;
const STEP_BYTES = 8 * 4_096;
/** The disk stays full for so many owners. */
const OWNERS = 3;

function limitFiles(bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:unlimited`]);
}

const told = [];
for (let room = 0; room < Number(rooms); room++) {
  const partition = new OnePartition(`${folder}/room-${room}`);
  partition.produce(3, 300);
  await partition.run('closed');
  partition.produce(3, 3_000);
  limitFiles(statSync(partition.storeFile).size + room * STEP_BYTES);
  await partition.run('closed', () => {
    if (partition.failures.length === OWNERS) limitFiles('unlimited');
  });
  limitFiles('unlimited');
  partition.produceAllAgain();
  await partition.run('closed');
  told.push({ failures: partition.failures, ...(await partition.wrong()) });
}
process.stdout.write(JSON.stringify(told));
