export { measureAlerts } from '../alerts/measures.ts';
export { deadLetterReport } from '../dead-letters.ts';
export { type EventsContext, EventsStage } from '../events/events-stage.ts';
export { measureEvents } from '../events/measures.ts';
export { measureNormalize } from '../normalize/measures.ts';
export { NormalizeStage } from '../normalize/normalize-stage.ts';
export {
  batchSettings,
  changelogCodec,
  decodeAll,
  decoderOf,
  encoderOf,
  stateCodec,
  tokenSettings,
  typedEncoders,
} from './codecs.ts';
