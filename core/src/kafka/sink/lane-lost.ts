import { CodedError } from '@email-events/schemas/errors';

/** The assignment under which a lane works has ended; the partition's new owner goes on. */
export class LaneLost extends CodedError<'KAFKA_FENCED'> {
  override readonly name = 'LaneLost';

  constructor() {
    super('KAFKA_FENCED', 'the partition was assigned to another instance');
  }
}
