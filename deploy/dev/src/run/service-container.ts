import { setTimeout as delay } from 'node:timers/promises';
import { ContainerLog } from '../stack/containers/container-log.ts';
import type { Engine } from '../stack/containers/engine.ts';
import { isPortTaken, refusedWith, STATUS, signalOf, unlessGone } from '../stack/containers/engine.ts';
import { httpProblem } from '../stack/probes.ts';
import { type ContainerFile, packFiles } from './container-files.ts';
import {
  SERVICE_TIMINGS,
  type ServiceHost,
  type ServiceNews,
  type ServicePorts,
  type ServiceRun,
  type ServiceTimings,
  SupervisedService,
} from './supervisor.ts';

/** One service as a container: what differs between services. */
export interface ContainerSpec {
  /** Also its host name in the network. */
  readonly name: string;
  /** Arguments of the image's entry point. */
  readonly command: readonly string[];
  readonly env: { readonly [name: string]: string };
  /** In `filesFolder`, where only the container's user can read them. */
  readonly files: readonly ContainerFile[];
  readonly mounts: readonly { readonly source: string; readonly target: string }[];
  /** Published under the same numbers. */
  readonly ports: ServicePorts;
  /** Answers 200 once it takes work; as seen from here. */
  readonly healthUrl: string;
  readonly logFile: string;
}

/** Settings that all services of a pipeline share. */
export interface ContainerPlace {
  readonly engine: Engine;
  readonly image: string;
  readonly network: string;
  /** By these it is removed if its owner is killed. */
  readonly labels: { readonly [name: string]: string };
  readonly uid: number;
  readonly gid: number;
  /** Folder of the files that it gets. A volume, so that the rest of the file system can be read-only. */
  readonly filesFolder: string;
}

type Container = ReturnType<Engine['docker']['getContainer']>;

const PROBE_INTERVAL_MS = 100;

/**
 * One service as a container, which outlives its restarts and is removed when it is stopped for good. The stack's
 * watchdog removes it when this process is gone.
 */
export class ServiceContainer extends SupervisedService {
  constructor(
    spec: ContainerSpec,
    place: ContainerPlace,
    news: (news: ServiceNews) => void = () => {},
    timings: ServiceTimings = SERVICE_TIMINGS,
  ) {
    super(spec, new ContainerHost(spec, place), news, timings);
  }
}

class ContainerHost implements ServiceHost {
  readonly #spec: ContainerSpec;
  readonly #place: ContainerPlace;
  readonly #log: ContainerLog;
  #container: Container | undefined;

  constructor(spec: ContainerSpec, place: ContainerPlace) {
    this.#spec = spec;
    this.#place = place;
    this.#log = new ContainerLog(place.engine.docker, spec.logFile);
  }

  async launch(): Promise<ServiceRun> {
    const begin = new Date();
    const container = await this.#start();
    await this.#log.follow(container, begin);
    const ended = this.#ended(container);
    let problem: string | undefined;
    return {
      pid: undefined,
      ready: this.#ready(ended, (asked) => {
        problem = asked;
      }),
      problem: () => problem,
      ended,
      // Of one that has ended, or whose engine is gone: `ended` says so.
      signal: (name) => void container.kill({ signal: name }).catch(() => {}),
    };
  }

  async release(): Promise<void> {
    const container = this.#container;
    this.#container = undefined;
    await unlessGone(container?.remove({ force: true, v: true }));
  }

  async #start(): Promise<Container> {
    const known = this.#container;
    const container = known ?? (await this.#create());
    this.#container = container;
    try {
      await container.start();
      return container;
    } catch (error) {
      // It runs already: only the connection that waits for its end broke, or its log could not be followed.
      if (refusedWith(error, STATUS.notModified)) return container;
      if (!known || !refusedWith(error, STATUS.gone)) throw new Error(explained(error as Error, this.#spec));
      // Another process removed it.
      this.#container = undefined;
      return this.#start();
    }
  }

  async #create(): Promise<Container> {
    const { engine, uid, gid, filesFolder } = this.#place;
    const container = await engine.docker.createContainer(createOptions(this.#spec, this.#place));
    try {
      await container.putArchive(packFiles(this.#spec.files, uid, gid), { path: filesFolder });
      return container;
    } catch (error) {
      await container.remove({ force: true, v: true }).catch(() => {});
      throw new Error(`its files do not get into ${filesFolder}: ${(error as Error).message}`);
    }
  }

  async #ended(container: Container): Promise<string> {
    try {
      const { StatusCode } = await container.wait();
      await this.#log.copied();
      const { State } = await container.inspect();
      return State.OOMKilled ? 'ended for lack of memory' : endOf(StatusCode);
    } catch (error) {
      return `ended: ${(error as Error).message}`;
    }
  }

  /** Asks until it answers. An end is for others to notice. */
  async #ready(ended: Promise<string>, asked: (problem: string) => void): Promise<ServicePorts> {
    let over = false;
    ended.then(() => {
      over = true;
    });
    for (;;) {
      const problem = await httpProblem(this.#spec.healthUrl);
      if (problem === undefined) return this.#spec.ports;
      asked(problem);
      if (over) return new Promise(() => {});
      await delay(PROBE_INTERVAL_MS);
    }
  }
}

function createOptions(spec: ContainerSpec, place: ContainerPlace) {
  const address = place.engine.local ? { HostIp: '127.0.0.1' } : {};
  const ports = Object.values(spec.ports).map((port) => [`${port}/tcp`, port] as const);
  return {
    name: `${place.network}-${spec.name}`,
    Image: place.image,
    Hostname: spec.name,
    Cmd: [...spec.command],
    Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    User: `${place.uid}:${place.gid}`,
    Labels: { ...place.labels },
    ExposedPorts: Object.fromEntries(ports.map(([name]) => [name, {}])),
    Volumes: { [place.filesFolder]: {} },
    NetworkingConfig: { EndpointsConfig: { [place.network]: { Aliases: [spec.name] } } },
    HostConfig: {
      NetworkMode: place.network,
      PortBindings: Object.fromEntries(
        ports.map(([name, port]) => [name, [{ ...address, HostPort: String(port) }]]),
      ),
      Binds: spec.mounts.map(({ source, target }) => `${source}:${target}`),
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      // The log is kept here; the engine's own copy need not grow.
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '2' } },
    },
  };
}

function endOf(code: number): string {
  const signal = signalOf(code);
  return signal ? `ended by ${signal}` : `ended with exit code ${code}`;
}

function explained({ message }: Error, { ports }: ContainerSpec): string {
  if (!isPortTaken(message)) return message;
  const numbers = Object.values(ports).join(', ');
  return `one of its ports (${numbers}) is in use: stop the other program or configure another port`;
}
