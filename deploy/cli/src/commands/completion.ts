import { Argument, Command, type Option } from 'commander';
import { examples, onRun } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { print } from '../output.ts';

export function completionCommand(program: Command): Command {
  const command = new Command('completion')
    .description(
      'Print what makes a shell complete commands and options, of email-events and of npx email-events',
    )
    .addArgument(new Argument('<shell>', 'which one').choices(SHELLS));
  onRun(command, async (_options, [shell]) => {
    print(completionScript(shell as Shell, placesOf(program)));
    return EXIT.ok;
  });
  return examples(
    command,
    'completion bash > ~/.email-events-completion && source ~/.email-events-completion',
    'completion fish | source',
  );
}

export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** The words that may follow on a command line, at one place of the program's tree. */
export interface Place {
  /** The commands that were typed, each after a space: '' at the program, ' dlq list' two levels below. */
  readonly at: string;
  /** Commands, or what an argument is one of; none: files. */
  readonly words: readonly Candidate[];
  readonly options: readonly CandidateOption[];
}

export interface CandidateOption extends Candidate {
  readonly takesValue: boolean;
  /** Values that it is one of; none: any. */
  readonly values: readonly string[];
}

/** Every place of a program with the options that it takes there, its own included; behind `help`, the names that it takes. */
export function placesOf(program: Command): Place[] {
  const common = optionsOf(program).filter(({ word }) => word !== '--version');
  const places = below(program, '', common).filter(({ at }) => at !== ' help');
  return [...places, ...namesBelow(program, ' help')];
}

const HELP: CandidateOption = {
  word: '--help',
  description: 'what it takes',
  takesValue: false,
  values: [],
};

function below(command: Command, at: string, common: readonly CandidateOption[]): Place[] {
  const choices = command.registeredArguments.flatMap(({ argChoices = [] }) =>
    argChoices.map((word) => ({ word, description: '' })),
  );
  const own = optionsOf(command).filter(({ word }) => !common.some((option) => option.word === word));
  const place = { at, words: [...namesOf(command), ...choices], options: [...own, ...common, HELP] };
  return [place, ...command.commands.flatMap((child) => below(child, `${at} ${child.name()}`, common))];
}

function namesBelow(command: Command, at: string): Place[] {
  if (command.commands.length === 0) return [];
  const place = { at, words: namesOf(command), options: [HELP] };
  return [place, ...command.commands.flatMap((child) => namesBelow(child, `${at} ${child.name()}`))];
}

const namesOf = ({ commands }: Command): Candidate[] =>
  commands.map((child) => ({ word: child.name(), description: firstSentence(child.description()) }));

function optionsOf(command: Command): CandidateOption[] {
  return command.options.filter(({ hidden }) => !hidden).flatMap(candidateOf);
}

function candidateOf({ long, description, required, optional, argChoices = [] }: Option): CandidateOption[] {
  if (!long) return [];
  return [
    {
      word: long,
      description: firstSentence(description),
      takesValue: required || optional,
      values: argChoices,
    },
  ];
}

/** One line: what follows a semicolon, a colon or a full stop is for the help. */
const firstSentence = (text: string) => text.split(/[;:.]\s|\n/)[0]?.replace(/\.$/, '') ?? '';

/** A script for the shell to read. It knows the tree by heart, so that no key press has to wait for a program to start. */
export function completionScript(shell: Shell, places: readonly Place[]): string {
  return { bash, zsh, fish }[shell](places);
}

const NAME = 'email-events';

/** Of all places below the program, as alternatives of a `case`. */
const known = (places: readonly Place[], between: string) =>
  places
    .filter(({ at }) => at !== '')
    .map(({ at }) => quoted(at))
    .join(between);

/** Options that a value follows: it is one of these words, or a file. */
const valued = (places: readonly Place[]): { at: string; option: CandidateOption }[] =>
  places.flatMap(({ at, options }) =>
    options.filter(({ takesValue }) => takesValue).map((option) => ({ at, option })),
  );

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
const words = (candidates: readonly { readonly word: string }[]) =>
  candidates.map(({ word }) => word).join(' ');

function bash(places: readonly Place[]): string {
  const values = valued(places).map(
    ({ at, option }) =>
      `    ${quoted(`${at} ${option.word}`)}) values=${quoted(option.values.join(' '))}; after=value ;;`,
  );
  const cases = places.map(
    ({ at, words: named, options }) =>
      `    ${quoted(at)}) names=${quoted(words(named))}; options=${quoted(words(options))} ;;`,
  );
  return `# Completion of ${NAME} for bash. In ~/.bashrc: source <(npx ${NAME} completion bash)
_email_events() {
  local cur=\${COMP_WORDS[COMP_CWORD]} at='' previous='' word first=1 names='' options='' values='' after=''
  COMPREPLY=()
  if [[ \${COMP_WORDS[0]##*/} == npx ]]; then
    [[ \${COMP_WORDS[1]} == ${NAME} ]] && ((COMP_CWORD > 1)) || return 0
    first=2
  fi
  for word in "\${COMP_WORDS[@]:first:COMP_CWORD-first}"; do
    case "$at $word" in
      ${known(places, '|')}) at="$at $word" ;;
    esac
    previous=$word
  done
  case "$at $previous" in
${values.join('\n')}
  esac
  case $at in
${cases.join('\n')}
  esac
  if [[ $after == value ]]; then names=$values; elif [[ $cur == -* ]]; then names=$options; fi
  COMPREPLY=($(compgen -W "$names" -- "$cur"))
}
complete -o default -F _email_events ${NAME}
complete -p npx >/dev/null 2>&1 || complete -o default -F _email_events npx
`;
}

function zsh(places: readonly Place[]): string {
  const described = ({ word, description }: { word: string; description: string }) =>
    quoted(description === '' ? word : `${word}:${description}`);
  const list = (candidates: readonly { word: string; description: string }[]) =>
    `(${candidates.map(described).join(' ')})`;
  const values = valued(places).map(
    ({ at, option }) =>
      `    ${quoted(`${at} ${option.word}`)}) after=value; found=(${option.values.map(quoted).join(' ')}) ;;`,
  );
  const cases = places.map(
    ({ at, words: named, options }) => `    ${quoted(at)}) names=${list(named)}; options=${list(options)} ;;`,
  );
  return `#compdef ${NAME}
# Completion of ${NAME} for zsh. In ~/.zshrc, after compinit: source <(npx ${NAME} completion zsh)
_email_events() {
  local at='' previous='' word after='' first=2
  local -a names options found
  if [[ \${words[1]:t} == npx ]]; then
    if [[ \${words[2]} != ${NAME} ]] || ((CURRENT < 3)); then _files; return; fi
    first=3
  fi
  for word in "\${(@)words[first,CURRENT-1]}"; do
    case "$at $word" in
      (${known(places, '|')}) at="$at $word" ;;
    esac
    previous=$word
  done
  case "$at $previous" in
${values.join('\n')}
  esac
  case $at in
${cases.join('\n')}
  esac
  if [[ $after != value && $PREFIX == -* ]]; then _describe -o '${NAME}' options; return; fi
  [[ $after == value ]] || found=("\${names[@]}")
  if (($#found)); then _describe '${NAME}' found; else _files; fi
}
compdef _email_events ${NAME}
((\${+_comps[npx]})) || compdef _email_events npx
`;
}

function fish(places: readonly Place[]): string {
  const text = (words: string) => `'${words.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = places.flatMap(({ at, words: named, options }) => {
    const here = `  complete -c $program -n ${text(`__email_events_at ${text(at)}`)}`;
    return [
      ...named.map(({ word, description }) => `${here} -f -a ${text(word)} -d ${text(description)}`),
      ...options.map(({ word, description, takesValue, values }) => {
        const value = values.length > 0 ? ` -x -a ${text(values.join(' '))}` : takesValue ? ' -r' : '';
        return `${here} -l ${word.slice(2)}${value} -d ${text(description)}`;
      }),
    ];
  });
  return `# Completion of ${NAME} for fish. In ~/.config/fish/config.fish: npx ${NAME} completion fish | source
function __email_events_at
  set -l typed (commandline -opc)
  if string match -qr '(^|/)npx$' -- $typed[1]
    test "$typed[2]" = ${NAME}; or return 1
    set -e typed[1]
  end
  set -e typed[1]
  set -l at ''
  for word in $typed
    switch "$at $word"
      case ${known(places, ' ')}
        set at "$at $word"
    end
  end
  test "$at" = "$argv[1]"
end
for program in ${NAME} npx
${lines.join('\n')}
end
`;
}

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];
