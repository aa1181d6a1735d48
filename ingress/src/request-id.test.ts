import { expect, it } from 'vitest';
import { newRequestId } from './request-id.ts';

it('is a UUIDv7 that begins with the time and never repeats', () => {
  const before = Date.now();
  const ids = Array.from({ length: 10_000 }, newRequestId);
  const after = Date.now();
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) {
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const time = Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(after);
  }
});
