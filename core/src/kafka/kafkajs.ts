// The one door to kafkajs: what has to be mended in it is mended before its own modules are loaded.
import './read-committed.ts';
import './no-answer.ts';
import './wire/mend-connection.ts';
import './out-of-range.ts';

export { AssignerProtocol, Kafka, logLevel } from 'kafkajs';
