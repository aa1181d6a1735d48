import type { StackAddresses } from '@email-events/dev/stack';
import { createProvider, type Stack, type StackOptions, selectBreakable } from '@email-events/dev/stack';
import { forgetAddresses } from '../harness/isolation.ts';
import { type ProxyTarget, startProxy, startTcpProxy, type TcpProxy } from '../harness/tcp-proxy.ts';
import type { SecuredWorld } from '../secured/world.ts';

/** The proxies between the services and their components, and between the senders and the ingress. */
export interface Proxies {
  /** One before each broker. */
  readonly brokers: readonly TcpProxy[];
  readonly registry: TcpProxy;
  readonly clickhouse: TcpProxy;
  readonly ingress: TcpProxy;
}

export interface Components {
  readonly stack: Stack;
  readonly proxies: Proxies;
  /** Addresses for the services. */
  readonly proxied: StackAddresses;
  stop(): Promise<void>;
}

export interface ComponentsOptions extends Pick<StackOptions, 'dataDir' | 'onProgress' | 'signal'> {
  readonly brokers: number;
  /** The instances that a balancer would find ready. */
  readonly ingresses: () => readonly ProxyTarget[];
  /** Everything asks who its clients are. */
  readonly secured?: SecuredWorld | undefined;
}

export async function startComponents(options: ComponentsOptions): Promise<Components> {
  const { brokers: count, ingresses, secured, ...stackOptions } = options;
  let stack: Stack | undefined;
  const targetOf = (broker: number): ProxyTarget[] => {
    const port = stack?.proxied?.kafka[broker];
    return port === undefined ? [] : [{ host: '127.0.0.1', port }];
  };
  const opened: TcpProxy[] = [];
  const open = async (proxy: Promise<TcpProxy>) => {
    opened.push(await proxy);
    return proxy;
  };
  const stop = async () => {
    await stack?.stop();
    await Promise.all(opened.map((proxy) => proxy.stop()));
  };
  try {
    // A broker must know its proxy's port before the proxy can know the broker's.
    const brokers: TcpProxy[] = [];
    for (let broker = 0; broker < count; broker++)
      brokers.push(await open(startProxy(() => targetOf(broker))));
    const ingress = await open(startProxy(ingresses));
    forgetAddresses();
    stack = await createProvider(selectBreakable(process.env), process.env).start({
      ...stackOptions,
      brokers: count,
      advertise: { kafka: brokers.map(({ port }) => port) },
      secured: secured?.brokers,
    });
    const fronts = (await secured?.front(stack)) ?? stack;
    const registry = await open(startTcpProxy(fronts.registry.url));
    const clickhouse = await open(startTcpProxy(fronts.clickhouse.url));
    const proxied = {
      kafka: { brokers: brokers.map(({ port }) => `127.0.0.1:${port}`) },
      registry: { ...fronts.registry, url: registry.url },
      clickhouse: { ...fronts.clickhouse, url: clickhouse.url },
    };
    return { stack, proxied, stop, proxies: { brokers, registry, clickhouse, ingress } };
  } catch (error) {
    await stop();
    throw error;
  }
}
