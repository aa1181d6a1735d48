export { heldIn, heldRecord, type Place, type Quarantined, releasedHeaders, releasedIn } from './record.ts';
export { SecondLook, type SecondVerdict } from './second-look.ts';
