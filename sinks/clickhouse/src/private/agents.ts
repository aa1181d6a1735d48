import { AGENT_RULES, type AgentRule } from '../model/reaction-rules.ts';

/**
 * One user agent for each kind, by which rules of reactions know it again: views judge as they would have judged the one that it stands for, and
 * nothing else of it is kept. What is stored once is never read as another kind: a test holds the rules to that.
 */
export const AGENT_OF_KIND: { readonly [K in AgentRule['kind']]: string } = {
  proxy: 'proxy (googleimageproxy)',
  scanner: 'scanner (bot/)',
  // The whole of what Apple's says.
  prefetch: 'Mozilla/5.0',
  client: 'client (mozilla/)',
};

const RULES = AGENT_RULES.map(({ kind, agent }) => ({ kind, agent: new RegExp(agent) }));

/** As the views judge it; undefined: unknown. ClickHouse's `lower` knows ASCII alone. */
export function agentKindOf(userAgent: string): AgentRule['kind'] | undefined {
  const text = userAgent.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
  return RULES.find(({ agent }) => agent.test(text))?.kind;
}

/** What is stored of a user agent: its kind. Null: it says nothing. */
export function agentKept(userAgent: string | null | undefined): string | null {
  const kind = agentKindOf(userAgent ?? '');
  return kind === undefined ? null : AGENT_OF_KIND[kind];
}
