import type { PublishedPace } from '../capabilities.ts';
import { SharedPace } from '../pace.ts';

// For tests of the pace, in which time is played.
type Headers = { [name: string]: string };

/** A CRM that counts what it is called, by whom. */
export function counting() {
  const times: number[] = [];
  let answer: { status: number; headers: Headers } = { status: 200, headers: {} };
  let [underWay, most] = [0, 0];
  return {
    times,
    answerWith: (status: number, headers: Headers = {}) => {
      answer = { status, headers };
    },
    most: () => most,
    async call(takesMs = 0) {
      times.push(performance.now());
      most = Math.max(most, ++underWay);
      if (takesMs > 0) await new Promise((resolve) => setTimeout(resolve, takesMs));
      underWay -= 1;
      return answer;
    },
    /** The most calls in any window of this length, wherever it begins. */
    mostWithin(perMs: number): number {
      let [from, found] = [0, 0];
      for (const [to, time] of times.entries()) {
        while (time - (times[from] ?? 0) >= perMs) from += 1;
        found = Math.max(found, to - from + 1);
      }
      return found;
    },
  };
}

export type CountedCrm = ReturnType<typeof counting>;

/** Calls as fast as it may, one lane of so many. */
export async function callOn(
  pace: SharedPace,
  crm: Pick<CountedCrm, 'call'>,
  until: AbortSignal,
  lanes = 8,
): Promise<void> {
  const lane = async () => {
    while (!until.aborted) await pace.run(() => crm.call(5), until);
  };
  await Promise.allSettled(Array.from({ length: lanes }, lane));
}

export const paceWith = (published: PublishedPace) => new SharedPace({ published, now: Date.now });
export const limit = (calls: number, perMs: number): PublishedPace => ({ windows: [{ calls, perMs }] });
