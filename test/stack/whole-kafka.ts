import { type Component, isBroker, type Stack } from '@email-events/dev/stack';

/** Every broker at once, for tests of what happens while there is no Kafka at all, however many brokers it has. */
export function wholeKafka({
  components,
}: Pick<Stack, 'components'>): Pick<Component, 'start' | 'stop' | 'kill' | 'pause' | 'resume'> {
  // Together: one broker of several does not start alone, nor do all of them end in order one after the other.
  const each = (how: (broker: Component) => Promise<void>) => async () => {
    await Promise.all(components.filter(({ name }) => isBroker(name)).map(how));
  };
  return {
    start: each((broker) => broker.start()),
    stop: each((broker) => broker.stop()),
    kill: each((broker) => broker.kill()),
    pause: each((broker) => broker.pause()),
    resume: each((broker) => broker.resume()),
  };
}
