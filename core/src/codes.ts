/**
 * Codes of what all services do, each with what it means for an operator. Others are declared beside the code that gives them:
 * codes.ts of each service, of the command line and of the local pipeline.
 */
export const CORE_CODES = {
  CONFIG_INVALID: 'The configuration has problems; all are listed with their paths.',
  CONFIG_DOUBTFUL:
    'The configuration works, and has something in it that should be looked at; all is listed.',
  CONFIG_UNREADABLE: 'The configuration file cannot be read or is no YAML.',
  KAFKA_NOT_JOINED: 'The consumer has not joined its group yet.',
  KAFKA_UNREACHABLE: 'No broker answers.',
  KAFKA_TOKEN_REFUSED: 'The server of `kafka.sasl.tokenUrl` gives no token.',
  KAFKA_TOPIC_MISSING:
    'A topic is missing, or has fewer partitions than configured and may get more: run `topics apply`.',
  KAFKA_TOPIC_CONFLICT:
    'A topic differs from the configuration in a way that `topics apply` cannot change: `topics plan` shows all of them. Configure what is there, or change it with Kafka’s own tool.',
  KAFKA_READ_STALLED:
    'A partition has something to read and does not go on, for example because of an open transaction.',
  KAFKA_LOG_TRUNCATED:
    'A partition ends before what was read already: records were lost or the topic was made anew. Stop all instances of the group, reset it, start them again.',
  KAFKA_RECORD_TOO_LARGE: 'A record exceeds what its topic takes.',
  KAFKA_ANSWER_INCOMPLETE: 'A broker’s answer does not mention what was asked for; it is asked again.',
  KAFKA_RECORDS_DAMAGED:
    'A batch of records does not match its checksum. It is fetched again; if that goes on, it is damaged at the broker: look at its disk, and move the leadership to another replica.',
  KAFKA_FENCED: 'Another instance owns the partition now; this one lets go of it.',
  KAFKA_BACKLOG_FULL: 'Too many bytes wait for the broker; nothing more is taken.',
  KAFKA_PUBLISH_FAILED: 'The broker did not acknowledge in time.',
  STATE_RESTORE_FAILED: 'The changelog could not be read to its end.',
  STATE_RESTORING: 'A partition was assigned; its state is being brought up to date from the changelog.',
  STATE_DISK_FULL:
    'The disk under the state store takes no more: full, over its quota, or failing. Its partitions wait.',
  PROCESSOR_HALTED:
    'The work on good records fails, or on records of several sources: the fault is in this version or its surroundings, so nothing is set aside. Start a version that mends it.',
  SINK_RECORD_UNREADABLE: 'A record cannot be decoded by the sink.',
  SINK_UNAVAILABLE: 'The sink cannot work now; its partitions wait.',
  SINK_RECORD_FAILED:
    'The sink fails of this record, in a way that nobody foresaw, and of no other: it is set aside. Tell us.',
  SINK_UNEXPECTED:
    'The sink fails of records of several sources, or of a good one: it has a fault. It stops, commits nothing and sets nothing aside.',
  SINK_CUT_UNKNOWN:
    'A batch was announced that this version cannot make in the same way: finish it with the version that announced it, or with the key of `erasure.keys` that is gone.',
  SERVICE_STOP_TIMEOUT: 'A step of the shutdown did not finish within its deadline.',
  SERVICE_UNEXPECTED: 'Something nobody foresaw; the process stops and commits nothing.',
  TRACES_NOT_SENT:
    'The collector of traces cannot be reached, or refuses what it is sent: spans are lost, nothing else.',
} as const;
