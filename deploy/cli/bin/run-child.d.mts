/** Root of the checkout. */
export const ROOT: string;
/** The Node that the project runs on. */
export const NODE: string;
export const COMPILE_CACHE: string;
export function runUnderProjectNode(args: readonly string[], node?: string): Promise<number>;
