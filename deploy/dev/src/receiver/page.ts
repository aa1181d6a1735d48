import type { ReceivedState, ReceiverStats } from './store.ts';

const SHOWN = 200;
const REFRESH_SECONDS = 2;

/** The page at /: what a CRM would show of its suppression list. */
export function renderPage(stats: ReceiverStats, states: readonly ReceivedState[]): string {
  const newestFirst = [...states].sort((a, b) => b.recorded_at - a.recorded_at);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="${REFRESH_SECONDS}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Suppressions received</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Suppressions received</h1>
<p class="lead">What the CRM has been told, newest first. Stands in for a real CRM on this machine.</p>
${figures(stats)}
${reasonCounts(states)}
${table(newestFirst.slice(0, SHOWN))}
${newestFirst.length > SHOWN ? `<p class="lead">The newest ${SHOWN} of ${newestFirst.length}; all are at <a href="/suppressions">/suppressions</a>.</p>` : ''}
</body>
</html>
`;
}

function figures({ distinctRecipients, suppressed, received, stale, rejected }: ReceiverStats): string {
  const items: [string, number][] = [
    ['recipients', distinctRecipients],
    ['suppressed', suppressed],
    ['calls taken', received],
    ['stale, not applied', stale],
    ['rejected', rejected],
  ];
  const cells = items.map(([name, count]) => `<div><dt>${name}</dt><dd>${count}</dd></div>`);
  return `<dl>${cells.join('')}</dl>`;
}

function reasonCounts(states: readonly ReceivedState[]): string {
  const counts = new Map<string, number>();
  for (const { reasons } of states) {
    for (const reason of new Set(reasons.map((each) => each.reason))) {
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
  }
  if (counts.size === 0) return '';
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return `<ul class="reasons">${sorted.map(([reason, count]) => `<li>${labelOf(reason)} <b>${count}</b></li>`).join('')}</ul>`;
}

function table(states: readonly ReceivedState[]): string {
  if (states.length === 0) return '<p class="empty">Nothing yet.</p>';
  return `<table>
<thead><tr><th>Recipient</th><th>State</th><th>Reasons</th><th>Changed (UTC)</th></tr></thead>
<tbody>
${states.map(row).join('\n')}
</tbody>
</table>`;
}

function row({ recipient, suppressed, reasons, changed_at }: ReceivedState): string {
  const state = suppressed
    ? '<span class="off">suppressed</span>'
    : reasons.length > 0
      ? '<span class="part">partly</span>'
      : '<span class="on">mailable</span>';
  const why = reasons.map(
    ({ reason, scope, esp, detail }) =>
      `<div title="${escapeHtml(detail ?? '')}">${labelOf(reason)}${scope === 'all' ? '' : ` of ${escapeHtml(scope)}`} <small>${escapeHtml(esp)}</small></div>`,
  );
  return `<tr><td>${escapeHtml(recipient)}</td><td>${state}</td><td>${why.join('')}</td><td>${timeText(changed_at)}</td></tr>`;
}

const labelOf = (reason: string) => escapeHtml(reason.replaceAll('_', ' '));

/** A time that no calendar has must not take the page down. */
function timeText(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? '–' : date.toISOString().slice(0, 19).replace('T', ' ');
}

const ENTITIES: { readonly [char: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char);

const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#e3e3e6, #3a3a3e); --soft: light-dark(#6a6a72, #a0a0a8); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2.5rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.5rem; margin: 0; }
.lead, .empty { color: var(--soft); margin: .25rem 0 1.5rem; }
dl { display: flex; flex-wrap: wrap; gap: 2rem; margin: 0 0 1.25rem; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.reasons { display: flex; flex-wrap: wrap; gap: .5rem; list-style: none; padding: 0; margin: 0 0 1.5rem; }
.reasons li { border: 1px solid var(--line); border-radius: 1rem; padding: .1rem .75rem; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; font-size: .85rem; color: var(--soft); }
th, td { padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
td:last-child { white-space: nowrap; font-variant-numeric: tabular-nums; }
small { color: var(--soft); }
.off { color: light-dark(#b3261e, #f2b8b5); }
.part { color: light-dark(#8a5a00, #e8c26e); }
.on { color: light-dark(#1b6e3c, #8fd3a8); }
`;
