import type { CommonConfig } from '../common.ts';
import type { Finding } from '../problems.ts';

/**
 * Two sources of one ESP are either two accounts there, whose ids may be the same, or two webhooks of one account, whose
 * events are the same. Only the operator can tell, and a wrong guess would lose events or count them twice.
 */
export function accountFindings({ sources }: CommonConfig): Finding[] {
  const byEsp = new Map<string, string[]>();
  for (const [name, { esp }] of Object.entries(sources)) byEsp.set(esp, [...(byEsp.get(esp) ?? []), name]);
  return [...byEsp].flatMap(([esp, names]) => {
    if (names.length < 2) return [];
    return names
      .filter((name) => sources[name]?.account === undefined)
      .map((name) => ({
        level: 'refuse',
        path: `sources.${name}.account`,
        message:
          `${names.join(' and ')} have the same ESP (${esp}): each must name its account, ` +
          'the same one if they are webhooks of one account',
        compared: names.map((other) => `sources.${other}.esp`),
      }));
  });
}
