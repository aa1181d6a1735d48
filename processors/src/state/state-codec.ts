import { avroType, type RecipientState } from '@email-events/schemas';

/** How the store keeps recipients' states. */
export interface StateCodec {
  /** Of the schema: bytes of another one are not to be decoded. */
  readonly version: string;
  encode(state: RecipientState): Buffer;
  decode(bytes: Buffer): RecipientState;
}

/** The store belongs to one version of the schema, so its bytes need no schema id. */
export function stateCodec(): StateCodec {
  const type = avroType('recipientState');
  return {
    version: type.fingerprint('sha256').toString('hex'),
    encode: (state) => type.toBuffer(state),
    decode: (bytes) => type.fromBuffer(bytes),
  };
}
