/** Throws what a program has said if it failed. */
export function succeed<T extends { readonly code: number | null; readonly output: string }>(result: T): T {
  if (result.code === 0) return result;
  throw new Error(`exit code ${result.code}:\n${result.output}`);
}
