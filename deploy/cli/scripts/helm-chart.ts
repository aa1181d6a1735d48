import type { Services } from '../src/services.ts';
import { chartServices, commonUrls } from './helm-services.ts';
import { valuesSchema } from './helm-values.ts';

/** The files of the chart that follow from the services, by their path in it. */
export function chartFiles(all: Services, version: string): ReadonlyMap<string, string> {
  return new Map([
    ['Chart.yaml', manifest(version)],
    [
      'files/services.json',
      `${JSON.stringify({ urls: commonUrls(all), services: chartServices(all) }, null, 2)}\n`,
    ],
    ['values.schema.json', `${JSON.stringify(valuesSchema(all), null, 2)}\n`],
  ]);
}

const manifest = (version: string) => `# Generated from package.json by \`npm run gen\`. Do not edit.
apiVersion: v2
name: email-events
description: Email provider webhooks in, typed Kafka topics, ClickHouse analytics and CRM suppressions out.
type: application
version: ${version}
appVersion: ${version}
kubeVersion: ">=1.29.0-0"
`;
