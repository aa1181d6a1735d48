const BETWEEN_COMMANDS = /^(&&|\|\||[;|&\n])/;

/** A command of a script as the shell would split it: variables before it are left out. */
export type Words = readonly string[];

/**
 * The simple commands of a script: enough of the shell's grammar for what documentation has (quotes, comments, lines that
 * go on, here-documents, pipes and lists). What is in quotes or in `$( )` is one word and is not looked into.
 */
export function commandsOf(script: string): Words[] {
  const commands: string[][] = [[]];
  let rest = withoutHereDocuments(script.replaceAll('\\\n', ' '));
  while (rest !== '') {
    const between = BETWEEN_COMMANDS.exec(rest)?.[0];
    const blank = /^[ \t]+(#.*)?|^#.*/.exec(rest)?.[0];
    if (between !== undefined) commands.push([]);
    const word =
      between ?? blank ?? /^(?:"(?:\\.|[^"\\])*"|'[^']*'|\$\([^)]*\)|\\.|[^\s;|&"'\\])+/.exec(rest)?.[0];
    if (word === undefined) throw new Error(`cannot be split into words: ${rest}`);
    if (between === undefined && blank === undefined) commands.at(-1)?.push(unquoted(word));
    rest = rest.slice(word.length);
  }
  return commands.map(withoutShellWords).filter((words) => words.length > 0);
}

/** Variables before the program, and where its output goes. */
function withoutShellWords(words: readonly string[]): string[] {
  const program = words.findIndex((word) => !/^[A-Za-z_]+=/.test(word));
  const from = program < 0 ? [] : words.slice(program);
  return from.filter((word, index) => !/^\d?[<>]/.test(word) && !/^\d?[<>]+$/.test(from[index - 1] ?? ''));
}

function withoutHereDocuments(script: string): string {
  return script.replaceAll(/<<'?(\w+)'?\n[\s\S]*?^\1$/gm, '');
}

const unquoted = (word: string) => word.replaceAll(/"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/g, '$1$2$3');
