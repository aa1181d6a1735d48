/** The table that migrations and METRICS.md are filled with. It is in `schemas`, since other services tell providers apart by it too. */
export { MAILBOX_PROVIDERS, MAILBOX_PROVIDERS_VERSION, OTHER_PROVIDER } from '@email-events/schemas';
