// Loaded before anything else. For process 1 the system has no default actions: until somebody handles SIGTERM, it is
// ignored, and so is Ctrl-C. Here it does what it does to every other process, while nobody else handles it.
import { constants } from 'node:os';

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
  process.on(signal, () => {
    if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal]);
  });
}
