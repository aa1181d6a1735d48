import { CAMPAIGNS } from './campaigns.ts';
import { DELIVERABILITY } from './deliverability.ts';
import { RECIPIENTS } from './recipients.ts';
import type { Answers } from './rows.ts';

/** The right answer to each question of COOKBOOK.md, by its heading: computed of the events by nothing that ClickHouse knows. */
export const ANSWERS: Answers = { ...CAMPAIGNS, ...DELIVERABILITY, ...RECIPIENTS };
