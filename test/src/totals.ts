import type { Reporter, TestModule, TestSuite, Vitest } from 'vitest/node';

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const NO_TOTALS: Totals = { passed: 0, failed: 0, skipped: 0 };

export const addTotals = (a: Totals, b: Totals): Totals => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
});

/**
 * Counts what became of every test, and as failed also what no test stands for: a file that could not be loaded, a
 * failed hook of a suite, an error outside of any test, a set-up that failed, a run in which nothing was run.
 */
export class TotalsReporter implements Reporter {
  #totals = NO_TOTALS;
  #vitest: Vitest | undefined;
  #ended = false;

  get totals(): Totals {
    if (this.#ended) return this.#totals;
    return { ...this.#totals, failed: this.#totals.failed + 1 };
  }

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    this.#ended = true;
    for (const module of modules) this.#add(countModule(module));
    this.#add({ passed: 0, failed: unhandledErrors.length, skipped: 0 });
    const empty = this.#totals.passed + this.#totals.failed + this.#totals.skipped === 0;
    if (empty && !this.#vitest?.config.passWithNoTests) this.addFailure();
  }

  /** For what went wrong outside of the run. */
  addFailure(): void {
    this.#ended = true;
    this.#add({ passed: 0, failed: 1, skipped: 0 });
  }

  #add(more: Totals): void {
    this.#totals = addTotals(this.#totals, more);
  }
}

/** The part of vitest's TestModule that countModule reads. */
export type CountedModule = Pick<TestModule, 'errors'> & {
  readonly children: {
    allTests(): Iterable<{ result(): { readonly state: string } }>;
    allSuites(): Iterable<Pick<TestSuite, 'errors'>>;
  };
};

export function countModule(module: CountedModule): Totals {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    if (state === 'passed') passed += 1;
    else if (state === 'skipped') skipped += 1;
    // Failed, or never finished.
    else failed += 1;
  }
  if (module.errors().length > 0) failed += 1;
  for (const suite of module.children.allSuites()) if (suite.errors().length > 0) failed += 1;
  return { passed, failed, skipped };
}

export function formatTotals({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

const LINE = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/;

/** Undefined: the line is not one of totals. */
export function parseTotals(line: string): Totals | undefined {
  const [, passed, failed, skipped] = LINE.exec(line) ?? [];
  if (passed === undefined) return undefined;
  return {
    passed: Number(passed),
    failed: Number(failed),
    skipped: skipped === undefined ? 0 : Number(skipped),
  };
}

/** In CI a skipped test fails the run, since it proves nothing. */
export function failsRun(totals: Totals, env: Readonly<Record<string, string | undefined>>): boolean {
  const inCi = env.CI !== undefined && env.CI !== '' && env.CI !== 'false' && env.CI !== '0';
  return totals.failed > 0 || (inCi && totals.skipped > 0);
}
