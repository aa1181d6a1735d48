/** What a release changes in files, as pure functions of their text. */

/** `X.Y.Z`, compared as numbers. */
export function isNewer(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split('.').map(Number)) as [number[], number[]];
  const different = a.findIndex((part, i) => part !== b[i]);
  return different >= 0 && (a[different] ?? 0) > (b[different] ?? 0);
}

const HEADING = '## [Unreleased]';

/** The entries that wait go below a heading of the version. Throws if there are none. */
export function releasedChangelog(text: string, version: string, date: string): string {
  const at = text.indexOf(HEADING);
  if (at < 0) throw new Error(`CHANGELOG.md has no heading "${HEADING}"`);
  const after = at + HEADING.length;
  const next = text.indexOf('\n## ', after);
  if (!/^- /m.test(text.slice(after, next < 0 ? undefined : next)))
    throw new Error(`CHANGELOG.md says nothing below "${HEADING}"`);
  return `${text.slice(0, after)}\n\n## [${version}] - ${date}${text.slice(after)}`;
}

/** Every file of this repository that names the version, and how. `npm run gen` makes the chart after them. */
const PLACES: readonly {
  readonly file: RegExp;
  readonly set: (text: string, from: string, to: string) => string;
}[] = [
  { file: /(^|\/)package\.json$/, set: (text, from, to) => inManifest(text, from, to) },
  { file: /^package-lock\.json$/, set: inLock },
  {
    file: /^deploy\/images\/email-events\/Dockerfile$/,
    set: (text, from, to) => text.replace(`ARG VERSION=${from}`, `ARG VERSION=${to}`),
  },
  {
    file: /^deploy\/systemd\/README\.md$/,
    set: (text, from, to) => text.replaceAll(`--branch v${from} `, `--branch v${to} `),
  },
  {
    file: /^deploy\/helm\/README\.md$/,
    set: (text, from, to) => text.replaceAll(`tag: ${from} `, `tag: ${to} `),
  },
  {
    file: /^sinks\/scripts\/new-sink\.ts$/,
    set: (text, from, to) => text.replaceAll(`: '${from}'`, `: '${to}'`),
  },
];

/** The text with the new version in place of the old one, where the file is known to name it; else as it is. */
export function withVersion(file: string, text: string, from: string, to: string): string {
  const place = PLACES.find((one) => one.file.test(file));
  return place ? place.set(text, from, to) : text;
}

const inManifest = (text: string, from: string, to: string) =>
  text.replaceAll(
    new RegExp(`("version"|"@email-events/[^"]+"): "${from.replaceAll('.', '\\.')}"`, 'g'),
    `$1: "${to}"`,
  );

interface Locked {
  name?: string;
  version?: string;
  dependencies?: { [name: string]: string };
  devDependencies?: { [name: string]: string };
}

/** Of our own packages only; one of others may have the same version. */
function inLock(text: string, from: string, to: string): string {
  const lock = JSON.parse(text) as Locked & { packages: { [path: string]: Locked } };
  const ours = Object.entries(lock.packages).filter(([path]) => !path.includes('node_modules/'));
  for (const one of [lock, ...ours.map(([, entry]) => entry)]) {
    if (one.version === from) one.version = to;
    for (const wanted of [one.dependencies, one.devDependencies])
      for (const name of Object.keys(wanted ?? {}))
        if (wanted && name.startsWith('@email-events/') && wanted[name] === from) wanted[name] = to;
  }
  return `${JSON.stringify(lock, null, 2)}\n`;
}
