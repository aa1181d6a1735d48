import type { Shell } from './shells.ts';
import type { CandidateOption, Place } from './tree.ts';

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
