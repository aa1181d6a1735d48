import pc from 'picocolors';
import { counted, formatCount, formatTime } from '../output.ts';
import { visible } from '../terminal.ts';
import { MOST_EVENTS, type Story, type StoryEvent, type StoryMessage } from './story.ts';

/** For a support agent who was asked "did my mail arrive?": the answer, then each message with what it is known from. */
export function renderStory(story: Story): string {
  const { recipient, suppression, messages, total, others, hasEarlierEvents } = story;
  const lines = [headline(recipient, messages)];
  lines.push(`  ${suppressionInWords(suppression)}`);
  for (const message of messages) lines.push('', ...messageLines(message));
  if (total > messages.length)
    lines.push(
      '',
      pc.dim(`… and ${counted(total - messages.length, 'message')} before these: --limit shows more`),
    );
  if (others.length > 0) lines.push('', pc.bold('Of no message'), ...others.map(eventLine));
  if (hasEarlierEvents)
    lines.push(
      '',
      pc.yellow(
        `only its newest ${formatCount(MOST_EVENTS)} events were read: those before them are not shown`,
      ),
    );
  return lines.join('\n');
}

function headline(recipient: string, [last]: readonly StoryMessage[]): string {
  const who = pc.bold(visible(recipient));
  if (!last) return `${who}: no message to this address is known.`;
  return `${who}: the last message known is of ${formatTime(last.firstAt)}. ${verdict(last)}`;
}

/** One answer in words, with the evidence for it. Pure. */
export function verdict(message: StoryMessage): string {
  const { outcome, deferrals, dropReason, deliveredAt, lastBouncedAt, queuedAt } = message;
  switch (outcome) {
    case 'delivered':
      return pc.green(`It arrived: the receiving server took it${whenAfter(message.firstAt, deliveredAt)}.`);
    case 'hard_bounced':
    case 'soft_bounced': {
      const before = deliveredAt
        ? 'It was taken at first and then came back'
        : 'It did not arrive, it came back';
      const kind = outcome === 'hard_bounced' ? 'the address does not work' : 'refused this time';
      return pc.red(`${before} at ${formatTime(lastBouncedAt ?? '')}: ${kind}${reasonInWords(message)}.`);
    }
    case 'dropped':
      return pc.red(
        `It did not arrive: the ESP did not try to deliver it${dropReason ? ` (${visible(dropReason)})` : ''}.`,
      );
    case 'deferred':
      return pc.yellow(
        `It had not arrived yet: the receiving server put it off ${counted(deferrals, 'time')}.`,
      );
    case 'queued':
      return pc.yellow(
        `It is not known whether it arrived: the ESP had it at ${formatTime(queuedAt ?? '')} and said no more.`,
      );
    case 'unknown':
      return message.opens + message.clicks > 0
        ? pc.green('It arrived, or it would not have been opened or clicked; the ESP reported no delivery.')
        : pc.yellow('It is not known whether it arrived: the ESP reported no delivery.');
  }
}

function reasonInWords({ bounceCategory, smtpCode, enhancedStatus, diagnostic }: StoryMessage): string {
  const codes = [smtpCode === 0 ? '' : String(smtpCode), enhancedStatus].filter(Boolean).join(' ');
  const parts = [bounceCategory.replaceAll('_', ' '), codes, diagnostic].filter(Boolean);
  return parts.length === 0 ? '' : ` (${visible(parts.join('; '))})`;
}

function whenAfter(from: string, to: string | null): string {
  if (to === null) return '';
  const after = duration(Date.parse(to) - Date.parse(from));
  return ` at ${formatTime(to)}${after === '' ? '' : `, ${after} after the first word of it`}`;
}

/** 3 s, 5 min, 2 h, 4 d; empty for less than a second. */
export function duration(ms: number): string {
  const units = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1_000, 's'],
  ] as const;
  const unit = units.find(([size]) => ms >= size);
  return unit ? `${Math.floor(ms / unit[0])} ${unit[1]}` : '';
}

function messageLines(message: StoryMessage): string[] {
  const { subject, campaign, variant, esp, source, firstAt, events } = message;
  const title = subject || campaign || 'a message without a subject';
  const of = campaign === '' ? '' : `, campaign ${campaign}${variant === '' ? '' : `/${variant}`}`;
  const name = message.message === '' ? ', no message is named' : `, ${message.message}`;
  return [
    pc.bold(visible(title)),
    pc.dim(`  ${formatTime(firstAt)} by ${visible(`${esp} at webhook ${source}${of}${name}`)}`),
    `  ${verdict(message)}`,
    ...reactionLines(message).map((line) => `  ${line}`),
    ...events.map(eventLine),
  ];
}

function reactionLines(message: StoryMessage): string[] {
  const lines: string[] = [];
  const say = (what: string, count: number, unjudged: number, machines: number, first: string | null) => {
    if (count > 0) {
      const who =
        unjudged === 0
          ? 'by a person'
          : unjudged === count
            ? 'the ESP does not say by whom'
            : 'in part the ESP does not say by whom';
      lines.push(`${what} ${counted(count, 'time')}, first at ${formatTime(first ?? '')} (${who}).`);
    }
    if (machines > 0)
      lines.push(
        pc.dim(`${what} ${counted(machines, 'time')} by a machine, which says nothing of the recipient.`),
      );
  };
  say('Opened', message.opens, message.unjudgedOpens, message.machineOpens, message.openedAt);
  say('Clicked', message.clicks, message.unjudgedClicks, message.machineClicks, message.clickedAt);
  if (message.complainedAt !== null)
    lines.push(pc.red(`Reported as spam at ${formatTime(message.complainedAt)}.`));
  if (message.unsubscribedAt !== null) {
    const scope =
      message.unsubscribeScope === 'all' || message.unsubscribeScope === ''
        ? 'all mail'
        : message.unsubscribeScope;
    lines.push(pc.yellow(`Unsubscribed from ${visible(scope)} at ${formatTime(message.unsubscribedAt)}.`));
  }
  return lines;
}

function eventLine({ occurredAt, type, detail, mark, eventId, raw }: StoryEvent): string {
  const says = detail.trim() === '' ? '' : ` ${detail.trim().slice(0, 160)}`;
  const marked = mark === '' ? '' : pc.yellow(` [${mark}: counts in no report]`);
  return `    ${formatTime(occurredAt)} ${type.padEnd(12)}${visible(says)}${marked} ${pc.dim(`${visible(eventId)} raw ${raw}`)}`;
}

function suppressionInWords(suppression: Story['suppression']): string {
  if (!suppression) return 'Nothing is known against mail to it.';
  const why = suppression.reasons.map((reason) => visible(reason)).join('; ');
  if (suppression.suppressed) return pc.red(`It is suppressed, so nothing is sent to it now: ${why}.`);
  return suppression.reasons.length > 0
    ? pc.yellow(`It is suppressed in part: ${why}.`)
    : 'It is not suppressed now; it was before.';
}
