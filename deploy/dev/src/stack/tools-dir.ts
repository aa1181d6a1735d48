import { fileURLToPath } from 'node:url';

/** Where programs and what else is made once for this checkout is kept, and the locks of whoever makes it. */
export const TOOLS_DIR = fileURLToPath(new URL('../../../../.email-events/tools', import.meta.url));
