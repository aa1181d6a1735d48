/** Polls until the condition holds; an error counts as "not yet" and is the cause if it never does. */
export async function waitFor(what: string, condition: () => unknown, deadlineMs = 30_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      if (await condition()) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`not within ${deadlineMs} ms: ${what}`, { cause: last });
}
