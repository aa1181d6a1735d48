import { MemorySink } from './memory-sink.ts';
import { sinkContract } from './sink.ts';

const record = (value: string) => ({ topic: 'any', key: null, value, timestamp: 0, attempts: 0 });

sinkContract('memory', {
  open: async () => {
    const sink = new MemorySink();
    return {
      sink,
      rows: async () => [...sink.rows],
      breakDown: async () => {
        sink.down = true;
      },
      mend: async () => {
        sink.down = false;
      },
      dispose: async () => {},
    };
  },
  good: record,
  bad: () => record('refused'),
});
