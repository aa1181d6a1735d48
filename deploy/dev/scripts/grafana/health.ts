import { board } from './board.ts';
import { metric } from './panels.ts';

const ageOf = (name: string, quantile: number, by = 'service') =>
  `histogram_quantile(${quantile}, sum by (le, ${by}) (rate(email_events_${name}_bucket[$__rate_interval])))`;

export const health = board({
  title: 'Email: pipeline health',
  uid: 'email-events-health',
  from: 'now-6h',
  refresh: '1m',
  panels: [
    metric(
      {
        title: 'Requests',
        description: 'Answered by the ingress: OK, HANDSHAKE, PROBE or why not.',
        lines: [
          {
            expr: 'sum by (code) (rate(email_events_ingress_requests_total[$__rate_interval]))',
            legend: '{{code}}',
          },
        ],
      },
      'reqps',
    ),
    metric(
      {
        title: 'Genuine requests that were not taken',
        description:
          'The share that we refused, of what is promised in deploy/prometheus. ESPs send them again, for hours.',
        lines: [
          { expr: 'email_events:refused_by_us:ratio_rate5m', legend: 'in 5 minutes' },
          { expr: 'email_events:refused_by_us:ratio_rate1h', legend: 'in an hour' },
        ],
      },
      'percentunit',
    ),
    metric(
      {
        title: 'Time from request to answer',
        description: 'ESPs give up after some seconds.',
        lines: [
          { expr: ageOf('ingress_request_seconds', 0.5, 'instance'), legend: '{{instance}} half of them' },
          { expr: ageOf('ingress_request_seconds', 0.99, 'instance'), legend: '{{instance}} 99 of 100' },
        ],
      },
      's',
    ),
    metric(
      {
        title: 'How fresh the output is',
        description: 'Age of the oldest record of a transaction or a write when it is done: 99 of 100.',
        lines: [
          { expr: ageOf('transaction_record_age_seconds', 0.99), legend: '{{service}}' },
          { expr: ageOf('sink_record_age_seconds', 0.99), legend: '{{service}}' },
        ],
      },
      's',
    ),
    metric(
      {
        title: 'Behind',
        description: 'Records that each service has still to do. It must fall again.',
        lines: [{ expr: 'sum by (service, crm) (email_events_consumer_lag)', legend: '{{service}} {{crm}}' }],
      },
      'short',
    ),
    metric(
      {
        title: 'Standing',
        description:
          'Partitions that have something to read and are not read, and services that halt on purpose.',
        lines: [
          { expr: 'sum by (service) (email_events_standing_partitions)', legend: '{{service}} partitions' },
          { expr: 'sum by (service) (email_events_halted)', legend: '{{service}} halted' },
        ],
      },
      'short',
    ),
    metric(
      {
        title: 'What became of events',
        description: 'received = emitted + duplicate + dead_letter.',
        lines: [
          {
            expr: 'sum by (result) (rate(email_events_events_total[$__rate_interval]))',
            legend: '{{result}}',
          },
        ],
      },
      'cps',
    ),
    metric(
      {
        title: 'Dead letters',
        description: 'What processors and sinks gave up on, by code: `email-events dlq list`.',
        lines: [
          {
            expr: 'sum by (stage, code) (rate(email_events_dead_letters_total[$__rate_interval]))',
            legend: '{{stage}} {{code}}',
          },
          {
            expr: 'sum by (service) (rate(email_events_sink_records_total{outcome="dead-lettered"}[$__rate_interval]))',
            legend: '{{service}}',
          },
        ],
      },
      'cps',
    ),
    metric(
      {
        title: 'Writes that were tried again',
        description: 'By sinks and processors, by code.',
        lines: [
          {
            expr: 'sum by (service, code) (rate(email_events_sink_retries_total[$__rate_interval]))',
            legend: '{{service}} {{code}}',
          },
          {
            expr: 'sum by (service, code) (rate(email_events_transaction_failures_total[$__rate_interval]))',
            legend: '{{service}} {{code}}',
          },
        ],
      },
      'cps',
    ),
    metric(
      {
        title: 'Requests that wait for Kafka',
        description: 'In the spool of the ingress: nothing is lost, and nothing goes on.',
        lines: [
          { expr: 'sum by (instance) (email_events_ingress_spool_records)', legend: '{{instance}}' },
          { expr: '1 - email_events_ingress_kafka_up', legend: '{{instance}} Kafka is away' },
        ],
      },
      'short',
    ),
    metric(
      {
        title: 'Disks',
        description: 'What may still be written for the stores of events and for the spool.',
        lines: [{ expr: 'email_events_disk_free_bytes', legend: '{{instance}} {{disk}}' }],
      },
      'bytes',
    ),
    metric(
      {
        title: 'Memory',
        description: 'Of each service.',
        lines: [{ expr: 'process_resident_memory_bytes{service=~".+"}', legend: '{{service}} {{instance}}' }],
      },
      'bytes',
    ),
  ],
});
