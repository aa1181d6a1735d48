/** Tasks with the same key are done one after the other, in the order in which they came, urgent ones before those that wait. */
export class Turns<Key> {
  /** Of each key with a task at work: those that wait. */
  readonly #waiting = new Map<Key, (() => void)[]>();

  /** Resolves or rejects as the task does. */
  async take<T>(key: Key, task: () => Promise<T>, isUrgent = false): Promise<T> {
    const waiting = this.#waiting.get(key);
    if (waiting) await new Promise<void>((go) => (isUrgent ? waiting.unshift(go) : waiting.push(go)));
    else this.#waiting.set(key, []);
    try {
      return await task();
    } finally {
      const next = this.#waiting.get(key)?.shift();
      if (next) next();
      else this.#waiting.delete(key);
    }
  }
}
