import { type Command, Option } from 'commander';
import { stringify } from 'yaml';
import {
  STRIMZI_VERSIONS,
  type StrimziManifest,
  type StrimziOptions,
  type StrimziVersion,
} from './access/strimzi.ts';
import { print, printJson } from './output.ts';

/** What commands take that print resources of Strimzi. */
export interface StrimziChoice {
  readonly strimzi?: string;
  readonly strimziApi?: StrimziVersion;
}

export const withStrimzi = (command: Command): Command =>
  command
    .option('--strimzi <cluster>', 'as resources of Strimzi, for the Kafka resource of this name')
    .addOption(
      new Option('--strimzi-api <version>', 'version of these: v1 from Strimzi 0.49 on')
        .choices(STRIMZI_VERSIONS)
        .default('v1'),
    );

/** Undefined: another form is wanted. */
export const strimziOptions = ({ strimzi, strimziApi = 'v1' }: StrimziChoice): StrimziOptions | undefined =>
  strimzi === undefined ? undefined : { cluster: strimzi, version: strimziApi };

/** As documents of YAML, or a list in JSON. kubectl takes either. */
export function printManifests(
  manifests: readonly StrimziManifest[],
  { json }: { readonly json: boolean },
): void {
  if (json) printJson({ apiVersion: 'v1', kind: 'List', items: manifests });
  else
    print(
      manifests
        .map((manifest) => stringify(manifest, { lineWidth: 0 }))
        .join('---\n')
        .trimEnd(),
    );
}
