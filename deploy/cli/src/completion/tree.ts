import type { Command, Option } from 'commander';

export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** What may follow on a command line, at one place of the program's tree. */
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
