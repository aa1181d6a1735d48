-- Each variant against all other variants of its campaign together, by source, valid whenever and however often it is read: an
-- asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, arXiv 2103.06476), in its form for variances that
-- change. The z test that was here before holds for one reading at a time fixed beforehand.
--
-- For counts x of n recipients on one side and y of m on the other, d = x/n - y/m is the difference of the rates, v its variance (the
-- sides are independent, so theirs add up) and k = 1 / (1/n + 1/m). The sum k * d moves by the steps of those who react, and its variance
-- k * k * v is the time that has passed. By that clock the mixture of normal densities with variance rho_squared gives
--   d within +- sqrt(v * (1 + 1/u) * 2 * log(sqrt(1 + u) / alpha)) at all times at once, where u = rho_squared * k * k * v,
-- and the p-value is the alpha at which 0 is at the edge. The clock is not the number of recipients, as it would be for the same variance at
-- all times: a rate grows while people react to what all got at once, and rare reactions would be believed too soon.
-- One reaction and one silence are added on each side for the variance: it is never 0.
-- No `least` or `greatest`: whether these pass NULL on depends on the server's version.
-- Where there are more than two variants as many comparisons are made, so each gets an equal part of alpha.
CREATE OR REPLACE VIEW {{database}}.ab_comparison {{on_cluster}}
(
  source String COMMENT 'Configured webhook that reported the events',
  campaign String COMMENT 'Campaign with at least two variants',
  variant String COMMENT 'Variant',
  delivered UInt64 COMMENT 'Recipients with a message that was delivered and did not bounce afterwards',
  opened UInt64 COMMENT 'Recipients who opened, machines excluded',
  clicked UInt64 COMMENT 'Recipients who clicked, machines excluded',
  open_rate Nullable(Float64) COMMENT 'opened / delivered',
  click_rate Nullable(Float64) COMMENT 'clicked / delivered',
  open_rate_of_others Nullable(Float64) COMMENT 'Open rate of the other variants together',
  click_rate_of_others Nullable(Float64) COMMENT 'Click rate of the other variants together',
  open_difference Nullable(Float64) COMMENT 'open_rate - open_rate_of_others',
  open_difference_low Nullable(Float64) COMMENT 'The true difference is between this and open_difference_high, with 95 % certainty at all readings together; null while nothing was delivered on a side, or if more opened than that',
  open_difference_high Nullable(Float64) COMMENT 'The other end',
  open_p_value Nullable(Float64) COMMENT 'Always valid: if the rates were the same, the chance that this is ever as low as p, at whatever reading, is p at most. Below 0.05 exactly when 0 is not between low and high',
  open_verdict String COMMENT 'better or worse than the others, once 0 is not between low and high; undecided until then. Wrong in at most 5 % of campaigns without a difference, however often it is read',
  click_difference Nullable(Float64) COMMENT 'click_rate - click_rate_of_others',
  click_difference_low Nullable(Float64) COMMENT 'As for opens',
  click_difference_high Nullable(Float64) COMMENT 'The other end',
  click_p_value Nullable(Float64) COMMENT 'As for opens',
  click_verdict String COMMENT 'As for opens'
)
AS WITH
  -- Chance of a false verdict, by campaign, source and measure, over all readings.
  0.05 AS alpha,
  -- The k * k * v at which the interval is at its best: about 1,000 opens (or clicks) of two equal sides together. A view of your own can have
  -- others for both, chosen before a test and not because of what it shows.
  250 AS best_at,
  (2 * log(1 / alpha) + log(2 * log(1 / alpha) + 1)) / best_at AS rho_squared,
  1 / (1 / nullIf(delivered, 0) + 1 / nullIf(others_delivered, 0)) AS k,

  (opened + 1) / (delivered + 2) AS open_share,
  (others_opened + 1) / (others_delivered + 2) AS open_share_of_others,
  if(opened <= delivered AND others_opened <= others_delivered,
    open_share * (1 - open_share) / nullIf(delivered, 0) + open_share_of_others * (1 - open_share_of_others) / nullIf(others_delivered, 0),
    NULL) AS open_variance,
  rho_squared * k * k * open_variance AS open_u,
  sqrt(open_variance * (1 + 1 / open_u) * 2 * log(sqrt(1 + open_u) * comparisons / alpha)) AS open_radius,
  comparisons * sqrt(1 + open_u) * exp(-open_difference * open_difference / open_variance * open_u / (1 + open_u) / 2) AS open_p,

  (clicked + 1) / (delivered + 2) AS click_share,
  (others_clicked + 1) / (others_delivered + 2) AS click_share_of_others,
  if(clicked <= delivered AND others_clicked <= others_delivered,
    click_share * (1 - click_share) / nullIf(delivered, 0) + click_share_of_others * (1 - click_share_of_others) / nullIf(others_delivered, 0),
    NULL) AS click_variance,
  rho_squared * k * k * click_variance AS click_u,
  sqrt(click_variance * (1 + 1 / click_u) * 2 * log(sqrt(1 + click_u) * comparisons / alpha)) AS click_radius,
  comparisons * sqrt(1 + click_u) * exp(-click_difference * click_difference / click_variance * click_u / (1 + click_u) / 2) AS click_p
SELECT
  source,
  campaign,
  variant,
  delivered,
  opened,
  clicked,
  open_rate,
  click_rate,
  others_opened / nullIf(others_delivered, 0) AS open_rate_of_others,
  others_clicked / nullIf(others_delivered, 0) AS click_rate_of_others,
  open_rate - open_rate_of_others AS open_difference,
  if(open_difference - open_radius < -1, -1, open_difference - open_radius) AS open_difference_low,
  if(open_difference + open_radius > 1, 1, open_difference + open_radius) AS open_difference_high,
  if(open_p > 1, 1, open_p) AS open_p_value,
  multiIf(ifNull(open_difference_low > 0, 0), 'better', ifNull(open_difference_high < 0, 0), 'worse', 'undecided') AS open_verdict,
  click_rate - click_rate_of_others AS click_difference,
  if(click_difference - click_radius < -1, -1, click_difference - click_radius) AS click_difference_low,
  if(click_difference + click_radius > 1, 1, click_difference + click_radius) AS click_difference_high,
  if(click_p > 1, 1, click_p) AS click_p_value,
  multiIf(ifNull(click_difference_low > 0, 0), 'better', ifNull(click_difference_high < 0, 0), 'worse', 'undecided') AS click_verdict
FROM
(
  SELECT
    p.source AS source,
    p.campaign AS campaign,
    p.variant AS variant,
    p.delivered AS delivered,
    p.opened AS opened,
    p.clicked AS clicked,
    p.open_rate AS open_rate,
    p.click_rate AS click_rate,
    sum(p.delivered) OVER (PARTITION BY p.source, p.campaign) - p.delivered AS others_delivered,
    sum(p.opened) OVER (PARTITION BY p.source, p.campaign) - p.opened AS others_opened,
    sum(p.clicked) OVER (PARTITION BY p.source, p.campaign) - p.clicked AS others_clicked,
    count() OVER (PARTITION BY p.source, p.campaign) AS variants,
    -- Two variants are one comparison, seen from both sides.
    if(variants = 2, 1, variants) AS comparisons
  FROM {{database}}.campaign_performance AS p
  WHERE p.variant != ''
)
WHERE variants > 1;
