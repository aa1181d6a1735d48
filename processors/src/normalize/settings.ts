import { type CommonConfig, ConfigError, type ConfigProblem } from '@email-events/core';
import { fieldMapping, fieldProblems, findAdapter, type SourceReading } from '@email-events/esps';
import type { NormalizeConfig } from './config.ts';
import type { NormalizeOptions } from './normalize-record.ts';

type Settings = Required<Pick<NormalizeOptions, 'readingOf' | 'accountOf' | 'budget' | 'timeBounds'>>;

/** How requests are read as configured: the same for the service and for commands that read email.raw again. */
export function normalizeSettings({
  sources,
  normalize,
}: Pick<NormalizeConfig, 'sources' | 'normalize'>): Settings {
  const readings = new Map(Object.entries(sources).map(([name, source]) => [name, readingOf(source)]));
  const accounts = new Map(Object.entries(sources).map(([name, { account }]) => [name, account ?? null]));
  return {
    // A source that is not configured any more is read as one without settings.
    readingOf: (source) => readings.get(source) ?? {},
    accountOf: (source) => accounts.get(source) ?? null,
    budget: normalize,
    timeBounds: normalize,
  };
}

/** How the events of one source are read. */
export function readingOf({
  options,
  fields,
}: Pick<CommonConfig['sources'][string], 'options' | 'fields'>): SourceReading {
  return { options, fields: fieldMapping(fields) };
}

/** `fields` that can never have a value, since the source's ESP reports nothing of the kind. Throws ConfigError with all of them. */
export function checkSourceFields({ sources }: Pick<CommonConfig, 'sources'>): readonly ConfigProblem[] {
  const problems = Object.entries(sources).flatMap(([name, { esp, fields }]): ConfigProblem[] => {
    const adapter = findAdapter(esp);
    if (!adapter || !fields) return [];
    return fieldProblems(adapter, fields).map(({ field, index, message }) => ({
      path: ['sources', name, 'fields', field, ...(index === undefined ? [] : [index])].join('.'),
      message,
    }));
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return [];
}
