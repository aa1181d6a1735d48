import { expect, test } from 'vitest';
import { fakeEngine } from '../testing/fake-engine.ts';
import { readVersions } from '../versions.ts';
import { IMAGE_LABEL, referenceOf, STAND_IN_OF } from './images/stand-ins.ts';
import { imageInventory } from './inventory.ts';

const CURRENT = referenceOf(STAND_IN_OF.kafka, readVersions());
const OLD = 'email-events/kafka:3.9.0-000000000000';
const SERVICES = 'email-events/services:0123456789ab';
const FOREIGN = 'apache/kafka:4.2.1';

test('the inventory has what was made here, and says what is out of date', async () => {
  const engine = await fakeEngine([CURRENT, OLD, SERVICES, FOREIGN]);
  for (const reference of [CURRENT, OLD]) engine.labels.set(reference, { [IMAGE_LABEL]: 'kafka' });
  engine.labels.set(SERVICES, { [IMAGE_LABEL]: 'services' });
  const found = await imageInventory(engine);
  expect(found.map(({ reference, purpose, current }) => [reference, purpose, current])).toEqual([
    [OLD, 'kafka', false],
    [CURRENT, 'kafka', true],
    [SERVICES, 'services', true],
  ]);
  expect(found[0]?.bytes).toBe(5_000_000);
});
