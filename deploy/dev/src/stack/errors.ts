import { CodedError } from '@email-events/schemas/errors';

/** Every code the stack gives, with what it means. The README's table is made from here. */
export const STACK_ERROR_CODES = {
  STACK_PROVIDER_UNKNOWN: 'The variable STACK names no provider.',
  STACK_ENGINE_UNAVAILABLE: 'No container engine answers; the message says how to get one.',
  STACK_IMAGE_MISSING: 'An image is neither on this machine nor to be had; the message says why.',
  STACK_IMAGE_BUILD_FAILED:
    'An image could not be built; the message says what the build said, or why it may not be used.',
  STACK_TOOL_MISSING: 'A program that the installation needs is not on this machine.',
  STACK_INSTALL_FAILED: 'A download or an unpacking failed; the message ends with what the tool said.',
  STACK_VERSIONS_INVALID: 'deploy/dev/stack/versions.env lacks a version or has a line that is no setting.',
  STACK_PORT_TAKEN: 'A configured port is in use by another program.',
  STACK_PORTS_INVALID: 'STACK_PORTS is no range of ports, or one of fewer than a hundred.',
  STACK_BROKERS_INVALID: 'There cannot be so many brokers, or not with so many advertised ports.',
  STACK_BROKERS_CHANGED: 'The data directory holds data of another number of brokers.',
  STACK_IN_USE: 'Another process runs a stack on this data directory.',
  STACK_COMPONENT_DIED: 'A component ended while it was starting; the message ends with its log.',
  STACK_COMPONENT_TIMEOUT: 'A component does not answer in time; the message ends with its log.',
  STACK_COMPONENT_STATE:
    'A component was told something that its state does not allow, like starting it twice.',
  STACK_UNREACHABLE: 'An address of the external stack does not answer.',
  STACK_ADDRESS_MISSING: 'The external provider lacks an address.',
  STACK_ABORTED: 'The start was called off.',
} as const;

export type StackErrorCode = keyof typeof STACK_ERROR_CODES;

export class StackError extends CodedError<StackErrorCode> {
  override readonly name = 'StackError';
}
