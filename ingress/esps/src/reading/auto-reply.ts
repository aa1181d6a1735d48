import type { EspEvent, Item } from '../adapter.ts';

const WORDS =
  /out[ -]of[ -](?:the[ -])?office|\bauto(?:matic|mated)?[ -]?(?:repl(?:y|ied)|response|responder|answer)|\bon (?:\w+ )?(?:vacation|holiday|leave)\b|vacation (?:reply|message|notice)|abwesenheit|absence du bureau|fuera de la oficina/i;

/**
 * An answering machine's mail, which some ESPs report as a bounce that is temporary (SES as Transient/General, and who
 * sends by way of it): the message has arrived. A receiving server that refused has said so with a code.
 */
export function withoutAutoReply(event: EspEvent, item: Item): EspEvent {
  const { type, bounce_class, smtp_code, diagnostic } = event;
  if (type !== 'bounced' || bounce_class === 'hard' || (smtp_code ?? 0) >= 400) return event;
  if (!WORDS.test(diagnostic ?? '')) return event;
  const nothing = { bounce_class: undefined, bounce_category: undefined, diagnostic: undefined };
  const formerly = event.formerly ?? [{ type: 'bounced' as const }];
  return { ...event, ...nothing, formerly, enhanced_status: undefined, type: 'other', payload: item.text };
}
