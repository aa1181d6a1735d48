/** 12345 → 12,345. */
export const formatCount = (count: number): string => count.toLocaleString('en-US');

/** 1 letter, 2 letters, 12,345 letters. */
export const counted = (count: number, one: string, several = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : several}`;
