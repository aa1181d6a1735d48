import { parseArgs } from 'node:util';
import { figuresOf, readMeasured } from './measured.ts';
import { optionOf, planTable } from './page.ts';
import { PARAMETERS, parametersOf } from './parameters.ts';
import { planFor } from './plan.ts';

/** `--events N[,N …]` a day, and any of the parameters. */
export function capacityTable(args: string[]): string {
  const names = Object.keys(PARAMETERS);
  const options = Object.fromEntries(
    ['events', ...names.map(optionOf)].map((name) => [name, { type: 'string' as const }]),
  );
  const { values } = parseArgs({ args, options });
  const givenFor = (option: string) => values[option] as string | undefined;
  const given = names.flatMap((name): [string, number][] => {
    const text = givenFor(optionOf(name));
    return text === undefined ? [] : [[name, Number(text)]];
  });
  const events = (givenFor('events') ?? '1000000,100000000,1000000000').split(',').map(Number);
  if (!events.every((number) => number > 0)) throw new Error('--events is of numbers above 0: events a day');
  const figures = figuresOf(readMeasured());
  const parameters = parametersOf(Object.fromEntries(given));
  return planTable(events.map((number) => planFor(number, figures, parameters)));
}
