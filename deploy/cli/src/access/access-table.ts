import { eventTopics } from '@email-events/schemas';
import { markdownTable } from '@email-events/schemas/tools';
import type { Principal } from './principals.ts';

const HEADER = ['principal', 'runs', 'reads', 'writes', 'groups', 'transactional ids'];

/** The principals as the table of TRUST.md. */
export function accessTable(all: readonly Principal[]): string {
  const rows = all.map(({ name, runs, reads, writes, groups, watches, transactionalIds, manages }) => [
    `\`${name}\``,
    runs,
    topicsText(reads),
    manages === undefined ? topicsText(writes) : `makes and changes \`${manages}*\`, writes none`,
    [...groups.map((group) => `\`${group}\``), ...watches.map((group) => `\`${group}\` (Describe)`)].join(
      ', ',
    ),
    transactionalIds.map((id) => `\`${id}*\``).join(', '),
  ]);
  return markdownTable([HEADER, ...rows]);
}

/** All typed topics at once: nobody has some of them. */
function topicsText(names: readonly string[]): string {
  const typed = names.filter((name) => eventTopics.includes(name));
  const others = names.filter((name) => !eventTopics.includes(name)).map((name) => `\`${name}\``);
  if (typed.length !== 0 && typed.length !== eventTopics.length)
    throw new Error('some typed topics, not all');
  return [...others, ...(typed.length > 0 ? ['`email.events.*`'] : [])].join(', ');
}
