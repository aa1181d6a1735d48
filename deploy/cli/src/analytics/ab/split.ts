/** A test is called broken below it. Small, since it is asked of every test at every reading, and whoever is told so stops. */
export const SPLIT_ALPHA = 0.001;

/** How firmly the alternative is believed to be near what was meant, in recipients. At 200 the shares are off by some 3 points. */
const FIRMNESS = 200;

/**
 * Whether recipients went to the variants in the shares that were meant. The chance that their numbers would ever be as far off as now, at
 * whichever of many readings, if each recipient was drawn by these shares: the inverse of a Bayes factor against shares drawn from a
 * Dirichlet distribution around them (Lindon and Malek, Anytime-Valid Inference for Multinomial Count Data, arXiv 2011.03567).
 * `shares` add up to 1 and none is 0. 1 where nothing was sent.
 */
export function splitPValue(sent: readonly number[], shares: readonly number[]): number {
  const total = sum(sent);
  const prior = shares.map((share) => share * FIRMNESS);
  const logFactor =
    logGamma(FIRMNESS) -
    logGamma(FIRMNESS + total) +
    sum(prior.map((weight, at) => logGamma(weight + (sent[at] ?? 0)) - logGamma(weight))) -
    sum(shares.map((share, at) => (sent[at] ?? 0) * Math.log(share)));
  return Math.min(1, Math.exp(-logFactor));
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Logarithm of the gamma function by Stirling's series, which is exact to 12 digits above 10. */
function logGamma(x: number): number {
  let [shifted, below] = [x, 0];
  while (shifted < 10) below += Math.log(shifted++);
  const r = 1 / (shifted * shifted);
  const series = (1 / 12 - r * (1 / 360 - r * (1 / 1_260 - r * (1 / 1_680 - r / 1_188)))) / shifted;
  return (shifted - 0.5) * Math.log(shifted) - shifted + Math.log(2 * Math.PI) / 2 + series - below;
}
