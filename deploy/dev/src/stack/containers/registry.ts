import { registryAnswers } from '../probes.ts';
import { REGISTRY_API, registrySettings } from '../registry-settings.ts';
import { type ContainerSpec, variablesOf } from './spec.ts';

const DATA = '/var/lib/registry';
const PORT = 8080;

/** Where containers of the stack's network find the Confluent-compatible API. */
export const REGISTRY_INSIDE = `http://registry:${PORT}${REGISTRY_API}`;

export function registryContainer(image: string, host: string, port: number): ContainerSpec {
  const url = `http://${host}:${port}${REGISTRY_API}`;
  return {
    name: 'registry',
    image,
    env: {
      ...variablesOf(registrySettings(`${DATA}/registry`)),
      JAVA_OPTS_APPEND: '-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1',
    },
    publish: [{ container: PORT, host: port }],
    dataFolder: DATA,
    copy: [],
    answers: () => registryAnswers({ url }),
    startDeadlineMs: 120_000,
    stopDeadlineMs: 20_000,
  };
}
