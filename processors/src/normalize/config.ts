import { adminPort, type ConfigWith, count, section } from '@email-events/core/config';

export const normalizeSection = section(
  {
    adminPort: adminPort(9081),
    concurrency: count(3, 'Partitions handled at a time.'),
    maxItems: count(10_000, 'Items that a request may have. One with more is a dead letter as a whole.'),
    maxEvents: count(
      10_000,
      'Events that a request may come to: items with several recipients give several. More: a dead letter as a whole.',
    ),
    maxOutputBytes: count(
      8_388_608,
      'Bytes that the events of a request may come to. More: a dead letter as a whole.',
    ),
    maxOutputRatio: count(
      20,
      'The same as a multiple of what was received, where it comes to more than half a megabyte.',
    ),
    maxDeadLetters: count(
      100,
      'Items of a request that are dead letters one by one. More are one dead letter; what can be read comes out.',
    ),
    maxTransactionBytes: count(
      16_777_216,
      'Bytes of output after which a transaction takes no further request.',
    ),
    maxFutureMinutes: count(
      10,
      'Minutes by which the time of an event may be after its receipt. More: it is taken to have happened at the receipt.',
    ),
    maxAgeDays: count(
      400,
      'Days by which the time of an event may be before its receipt. More: it is taken to have happened so many days before.',
    ),
  },
  'The normalize processor.',
);

export type NormalizeConfig = ConfigWith<'normalize', typeof normalizeSection>;
