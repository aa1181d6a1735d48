import pc from 'picocolors';
import { counted, formatCount, renderTable } from '../../output.ts';
import { visible } from '../../terminal.ts';
import { ALPHA, rateOf } from './compare.ts';
import { countsOf, type Judged, type Judgement, type Measure, type Pair, type Variant } from './judge.ts';

const VERB: { readonly [measure in Measure]: string } = { clicked: 'clicks', opened: 'opens' };

/** A verdict in words for each measure, and the figures that it is of. */
export async function renderTests(tests: readonly Judged[]): Promise<string> {
  const shown = await Promise.all(tests.map(renderTest));
  return shown.join('\n\n');
}

async function renderTest(test: Judged): Promise<string> {
  const title = pc.bold(visible(`${test.campaign} (${test.source})`));
  const head = ['variant', 'sent', 'delivered', ...Object.values(VERB).flatMap((verb) => [verb, ''])];
  const rows = test.variants.map((variant) => [
    ...[visible(variant.variant).slice(0, 40), variant.sent, variant.delivered],
    variant.clicked,
    rateText(variant, 'clicked'),
    variant.opened,
    rateText(variant, 'opened'),
  ]);
  const lines = [title, ...sentencesOf(test).map((line) => `  ${line}`)];
  return [...lines, ...(await renderTable(head, rows)).split('\n').map((line) => `  ${line}`)].join('\n');
}

function rateText(variant: Variant, measure: Measure): string {
  const counts = countsOf(variant, measure);
  return counts.delivered === 0 ? '–' : percent(rateOf(counts));
}

/** Pure. A broken split comes alone: a verdict on top of it would be believed. */
export function sentencesOf(test: Judged): string[] {
  const broken = brokenSplit(test);
  if (broken.length > 0) return broken.map((text) => pc.red(text));
  return test.judgements.map(
    (judgement) =>
      sentenceOf(test, judgement) + unjudged(judgement.measure, test.unjudged[judgement.measure]),
  );
}

/** Said of more than that: machines open what nobody has asked for, at both variants, and hide a difference. */
const MUCH_UNJUDGED = 0.05;

function unjudged(measure: Measure, share: number | null): string {
  if (share === null || share <= MUCH_UNJUDGED) return '';
  return pc.dim(` Of ${percent(share)} of the ${VERB[measure]} nobody knows whether a machine did them.`);
}

function brokenSplit({ split, variants, several }: Judged): string[] {
  if (!split.isBroken) return [];
  const total = variants.reduce((sum, { sent }) => sum + sent, 0);
  const got = variants.map(({ variant, sent }, at) => {
    const [is, meant] = [sent / total, split.shares[at] ?? 0].map((share) => percent(share));
    return `${visible(variant)} ${is} (meant ${meant})`;
  });
  const mixed = several > 0 ? ` ${counted(several, 'recipient')} got several variants.` : '';
  return [
    `The split is broken: ${got.join(', ')}; p ${pText(split.pValue)}.${mixed} Find out why first: no difference can be believed.`,
  ];
}

function sentenceOf({ variants }: Judged, judgement: Judgement): string {
  const { measure, state, leader, beaten, recipientsLeft } = judgement;
  const verb = VERB[measure];
  const behind = beaten.filter((name) => name !== leader);
  const stopped =
    behind.length === 0 || state === 'wins'
      ? ''
      : ` ${visible(behind.join(', '))} ${behind.length === 1 ? 'is' : 'are'} behind for sure.`;
  switch (state) {
    case 'none':
      return pc.dim(`${verb}: nothing to compare, a variant has no deliveries, or more ${verb} than those`);
    case 'even':
      return `${verb}: nobody is ahead, keep going.${stopped}`;
    case 'wins':
      return pc.green(`${verb}: ${visible(leader ?? '')} wins.`) + evidence(variants, judgement);
    case 'ahead': {
      const left =
        recipientsLeft === null
          ? ' The rates are so close that it may never be decided.'
          : ` If the rates stay as they are, ${formatCount(roundUp(recipientsLeft))} more recipients of each decide it.`;
      return `${pc.yellow(`${verb}: ${visible(leader ?? '')} is ahead, keep going.`)}${evidence(variants, judgement)}${left}${stopped}`;
    }
  }
}

/** Of the leader against its next rival. */
function evidence(variants: readonly Variant[], { measure, leader, pairs }: Judgement): string {
  const rate = (name: string) => {
    const variant = variants.find((one) => one.variant === name);
    return variant ? rateOf(countsOf(variant, measure)) : 0;
  };
  const [pair] = pairs
    .filter(({ one, other }) => [one, other].includes(leader ?? ''))
    .map((of) => fromSideOf(of, leader ?? ''))
    .sort((a, b) => rate(b.other) - rate(a.other));
  if (!pair) return '';
  const { other, difference, low, high, pValue } = pair;
  return ` ${percent(rate(leader ?? ''))} against ${percent(rate(other))} of ${visible(other)}: ${points(difference)} points, between ${points(low)} and ${points(high)}; p ${pText(pValue)}.`;
}

function fromSideOf(pair: Pair, leader: string): Pair {
  if (pair.one === leader) return pair;
  const { one, other, difference, low, high, pValue } = pair;
  const negative = (value: number | null) => (value === null ? null : -value);
  return {
    one: other,
    other: one,
    pValue,
    difference: negative(difference),
    low: negative(high),
    high: negative(low),
  };
}

const percent = (share: number) => `${(share * 100).toFixed(1)} %`;

function points(share: number | null): string {
  const value = (share ?? 0) * 100;
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(1)}`;
}

const pText = (p: number | null) =>
  p === null ? 'unknown' : p < 0.001 ? 'below 0.001' : `= ${p.toFixed(p < ALPHA ? 3 : 2)}`;

/** To two digits: it is a guess. */
function roundUp(count: number): number {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, count))) - 1);
  return Math.ceil(count / step) * step;
}

/** One row for each variant and measure. */
export function testRows(tests: readonly Judged[]): (string | number | null)[][] {
  return tests.flatMap((test) =>
    test.judgements.flatMap(({ measure, state, leader }) =>
      test.variants.map((variant) => {
        const counts = countsOf(variant, measure);
        return [
          ...[test.campaign, test.source, variant.variant, measure, variant.sent, counts.delivered],
          ...[counts.reacted, counts.delivered === 0 ? null : rateOf(counts)],
          ...[test.split.isBroken ? 'broken' : state, leader, test.split.pValue],
        ];
      }),
    ),
  );
}

export const TEST_COLUMNS = [
  ...['campaign', 'source', 'variant', 'measure', 'sent', 'delivered', 'reacted', 'rate'],
  ...['state', 'leader', 'split_p_value'],
];
