/**
 * One of them for each, made only when it is taken: an item of a few kilobytes may name so many recipients that what they
 * share, once for each, fits no memory.
 */
export function* each<From, To>(
  all: Iterable<From>,
  make: (one: From) => To,
): Generator<To, void, undefined> {
  for (const one of all) yield make(one);
}

/** The same for each of the one with each of the other. */
export function* pairs<One, Other, To>(
  all: Iterable<One>,
  others: readonly Other[],
  make: (one: One, other: Other) => To,
): Generator<To, void, undefined> {
  for (const one of all) for (const other of others) yield make(one, other);
}
