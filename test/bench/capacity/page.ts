import { markdownTable } from '@email-events/schemas/tools';
import { FIGURES, type FigureName, figuresOf, type Measured } from './measured.ts';
import { PARAMETERS, type Parameters } from './parameters.ts';
import { type Plan, planFor, type ServicePlan } from './plan.ts';

/** Events a day that the page is about. */
const VOLUMES = [1e6, 100e6, 1e9];

/** The page that is committed. */
export function capacityPage(measured: Measured, parameters: Parameters): string {
  const figures = figuresOf(measured);
  const plans = VOLUMES.map((events) => planFor(events, figures, parameters));
  return [
    '<!-- Generated from test/bench/capacity/measured.json by `npm run gen`. Do not edit. -->',
    '# Capacity',
    '',
    'What a deployment needs for so many events a day, computed from what was measured. It is a beginning: your ESPs put other numbers of events',
    'into a request, and your machines are others. For other volumes, and with what you know of your mail:',
    '',
    '<!-- run by test/bench/capacity/page.test.ts -->',
    '```sh',
    'npm run bench -- capacity --events 5000000',
    'npm run bench -- capacity --events 5000000,20000000 --peak-factor 8 --raw-days 7',
    '```',
    '',
    planTable(plans),
    '',
    'Cores are what all instances of a service use at the peak; one instance works on one core, more or less. Instances of a service belong on',
    'several machines. Disk counts all replicas, with the room that is left free, and is reached when data has been kept for as long as it is told to.',
    '',
    '- Brokers, registry and ClickHouse need processors and memory beside this; what they need was not measured.',
    '- `events` was measured with ten million ids in its window, whose store lies in memory. With more memory for the page cache than its share of the',
    '  state it stays like this; what look-ups in a store that is larger cost was not measured.',
    '- The ingress needs less CPU for a request the more of them come: at a third of the rate it was half as much again.',
    '- Left out because they are small: `email.suppressions`, `email.internal.tokens` (under 2 % together), dead letters.',
    '',
    '## Parameters',
    '',
    markdownTable([
      ['option', 'value', 'meaning'],
      ...Object.entries(PARAMETERS).map(([name, [, meaning]]) => [
        `\`--${optionOf(name)}\``,
        String(parameters[name as keyof Parameters]),
        meaning,
      ]),
    ]),
    '',
    '## What it is computed from',
    '',
    `${measured.machine}`,
    '',
    markdownTable([
      ['figure', 'value', 'measured by', 'when', 'noise', 'peer in the same run'],
      ...measured.runs.flatMap(({ command, date, noise, peer, figures: found }) =>
        Object.entries(found).map(([name, value]) => [
          FIGURES[name as FigureName],
          String(value),
          `\`${command}\``,
          date,
          noise,
          peer,
        ]),
      ),
    ]),
    '',
  ].join('\n');
}

/** One column a volume. */
export function planTable(plans: readonly Plan[]): string {
  const row = (title: string, cell: (plan: Plan) => string) => [title, ...plans.map(cell)];
  const services = plans[0]?.services.map(({ name }) => name) ?? [];
  const serviceOf = (plan: Plan, name: string) => plan.services.find((service) => service.name === name);
  const topics = Object.keys(plans[0]?.disk.kafkaByTopic ?? {});
  return markdownTable([
    row('events a day', ({ eventsADay }) => eventsADay.toLocaleString('en-US')),
    row(
      'events/s, average · peak',
      ({ averagePerSecond, peakPerSecond }) => `${count(averagePerSecond)} · ${count(peakPerSecond)}`,
    ),
    row('requests/s at the peak', ({ requestsPerSecond }) => count(requestsPerSecond)),
    ...services.map((name) => row(`\`${name}\``, (plan) => serviceCell(serviceOf(plan, name)))),
    row('partitions of `email.raw`', ({ rawPartitions }) => String(rawPartitions)),
    row('partitions of topics by recipient', ({ partitions }) => String(partitions)),
    row('memory, all of these', ({ services: all }) =>
      bytes(all.reduce((sum, { instances, memoryBytes }) => sum + instances * memoryBytes, 0)),
    ),
    row('disk of Kafka', ({ disk }) => bytes(disk.kafka)),
    ...topics.map((topic) => row(`… \`${topic}\``, ({ disk }) => bytes(disk.kafkaByTopic[topic]))),
    row('disk of ClickHouse', ({ disk }) => bytes(disk.clickhouse)),
    row('disk of `events`, all instances', ({ disk }) => bytes(disk.state)),
    row('network at the peak: webhooks in', ({ network }) => bits(network.webhooks)),
    row('… into Kafka', ({ network }) => bits(network.kafkaIn)),
    row('… between brokers', ({ network }) => bits(network.kafkaReplication)),
    row('… out of Kafka', ({ network }) => bits(network.kafkaOut)),
    row('… into ClickHouse', ({ network }) => bits(network.clickhouse)),
  ]);
}

function serviceCell(service: ServicePlan | undefined): string {
  if (!service) return '';
  const { instances, cores, memoryBytes } = service;
  return `${instances} × ${bytes(memoryBytes)} (${significant(cores)} cores)`;
}

/** peakFactor → peak-factor */
export const optionOf = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function bytes(value = Number.NaN): string {
  const [unit, size] = value >= 1e12 ? ['TB', 1e12] : value >= 1e9 ? ['GB', 1e9] : ['MB', 1e6];
  return `${significant(value / size)} ${unit}`;
}

const bits = (bytesPerSecond: number) =>
  bytesPerSecond >= 125e6
    ? `${significant(bytesPerSecond / 125e6)} Gbit/s`
    : `${significant(bytesPerSecond / 125e3)} Mbit/s`;

const count = (value: number) =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : significant(value);

/** Two digits that say something: none of the figures is better than that. */
function significant(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(2)));
}
