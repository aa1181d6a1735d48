/** What the documentation test reads in Markdown. */

const FENCE = /^```(\w*)\n([\s\S]*?)^```$/gm;

/** Targets of links and images within the repository. */
export function linksIn(text: string): string[] {
  const prose = text.replaceAll(FENCE, '').replaceAll(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

/** Anchors as GitHub makes them of headings. */
export function headingAnchors(text: string): string[] {
  return [...text.replaceAll(FENCE, '').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Commands in words: lines of sh blocks, and code within text that begins with a program of ours. */
export function commandsIn(text: string): string[][] {
  const blocks = [...text.matchAll(FENCE)].filter(([, language]) => language === 'sh');
  const lines = blocks.flatMap(([, , body = '']) => body.replaceAll('\\\n', ' ').split('\n'));
  const inline = [...text.replaceAll(FENCE, '').matchAll(/`((?:npm|npx|node) [^`\n]+)`/g)].map(
    ([, code = '']) => code,
  );
  return [...lines, ...inline]
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '')
    .map((line) => line.split(/\s+/).filter((word) => !/^[A-Z_]+=/.test(word)));
}

/** What is in the sh blocks, in order. */
export function shellBlocks(text: string): string[] {
  return [...text.matchAll(FENCE)]
    .filter(([, language]) => language === 'sh')
    .map(([, , body = '']) => body.trim());
}

/** Codes in the first column of tables. */
export function tabledCodes(text: string): string[] {
  return [...text.matchAll(/^\| `([A-Z]+_[A-Z_]+)` +\|/gm)].map(([, code = '']) => code);
}

/** Everything in code marks that looks like an error code. */
export function codeMentions(text: string): string[] {
  const prose = text.replaceAll(FENCE, '');
  return [...prose.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)].map(([, code = '']) => code);
}
