import { registerHooks } from 'node:module';

// A service imports this before the project's modules: its processors then send by kafkajs's own transactions, as they did once. A suite
// that does not notice is none.
const USER = '/core/src/kafka/transact/loop.ts';
const REPLACED = '/core/src/kafka/transact/partition-client.ts';
const BY = new URL('./kafkajs-partition-client.ts', import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const wanted = context.parentURL?.endsWith(USER) === true && resolved.url.endsWith(REPLACED);
    return wanted ? { ...resolved, url: BY } : resolved;
  },
});
