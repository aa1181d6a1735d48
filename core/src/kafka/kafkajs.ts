// The one door to kafkajs: what has to be mended in it is mended before it is used.
import './no-answer.ts';
import './wire/mend-connection.ts';

export { AssignerProtocol, Kafka, logLevel } from 'kafkajs';
