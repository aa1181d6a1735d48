/** A Markdown table; the first row is its header. Empty cells are dashes. */
export function markdownTable([header = [], ...rows]: readonly (readonly string[])[]): string {
  return [header, header.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|') || '–').join(' | ')} |`)
    .join('\n');
}

/**
 * A text with this content in its section `<!-- NAME: NOTE -->` … `<!-- /NAME -->`.
 * @throws Error if the text has no such section
 */
export function replaceSection(text: string, name: string, note: string, content: string): string {
  const begin = `<!-- ${name}: ${note} -->`;
  const end = `<!-- /${name} -->`;
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`no section ${begin} … ${end}`);
  return `${before}${begin}\n${content}\n${end}${after}`;
}
