import { type EngineFacts, PROGRAMS, SOCKET } from './facts.ts';

export type Decision =
  /** Install these packages, if any, and start it. */
  | { readonly do: 'start'; readonly packages: readonly string[] }
  /** One line: why not, and what to do. */
  | { readonly do: 'refuse'; readonly why: string };

/** What to do on a machine where no engine can be used. Nothing that is there is changed. */
export function decide(facts: EngineFacts): Decision {
  const why = reasonAgainst(facts);
  if (why !== undefined) return { do: 'refuse', why };
  return { do: 'start', packages: facts.missing.map((program) => PROGRAMS[program]) };
}

function reasonAgainst({ platform, root, distribution, dockerHost, socket, missing }: EngineFacts) {
  if (dockerHost && dockerHost !== `unix://${SOCKET}`)
    return `no container engine answers at DOCKER_HOST=${dockerHost}, and it is not for this command to start: start it, or unset DOCKER_HOST`;
  if (platform !== 'linux')
    return 'a container engine can be started by this command on Linux only: install Docker Desktop, or another engine with its API, and start it';
  if (socket === 'answers')
    return `what listens at ${SOCKET} cannot be used as a container engine: \`docker info\` says more`;
  if (socket === 'denied')
    return `this user may not use ${SOCKET}: add it to the group docker and log in again, or become root`;
  if (!root) {
    const how = missing.includes('dockerd') ? 'installed and started' : 'started';
    return `no container engine runs, and it can be ${how} by root only: run this command as root, or ask whoever administrates this machine`;
  }
  if (missing.length > 0 && !distribution.debian)
    return `${distribution.name} lacks ${missing.join(' and ')}, and this command installs on Debian and Ubuntu only: install Docker by the system's packages, then run it again`;
  return undefined;
}
