import { createRequire } from 'node:module';

type Kafkajs = typeof import('kafkajs');

const require = createRequire(import.meta.url);
const isOfKafkajs = (file: string) => file.replaceAll('\\', '/').includes('/node_modules/kafkajs/');

/**
 * kafkajs as it is published: a copy of its modules without the project's mends, even if kafkajs was loaded before. Tests show its
 * faults with it, and `require` gives its inner modules.
 */
export function plainKafkajs(): Kafkajs & { require<T>(path: string): T } {
  const known = new Map(Object.entries(require.cache).filter(([file]) => isOfKafkajs(file)));
  const forget = () => {
    for (const file of Object.keys(require.cache)) if (isOfKafkajs(file)) delete require.cache[file];
  };
  forget();
  try {
    const loaded = require('kafkajs') as Kafkajs;
    const inner = new Map(Object.entries(require.cache).filter(([file]) => isOfKafkajs(file)));
    return {
      ...loaded,
      require: <T>(path: string) => inner.get(require.resolve(path))?.exports as T,
    };
  } finally {
    forget();
    for (const [file, module] of known) require.cache[file] = module;
  }
}
