import { CrmError, type EraseResult } from '@email-events/sink-crm';
import { describe, expect, test } from 'vitest';
import { type CrmErasure, eraseAt } from './crms.ts';
import { erasureLines, planLines } from './render.ts';

const said: string[] = [];
const erasing = (signal = new AbortController().signal) => ({
  signal,
  say: (text: string) => said.push(text),
});
const ready = async () => true;
const forbidden = new CrmError('misconfigured', 'SINK_CRM_UNAUTHORIZED', 'the CRM answered 403');

/** Answers one after the other. */
function answering(...answers: readonly (EraseResult | CrmError)[]) {
  const asked: string[] = [];
  const left = [...answers];
  const erase = async (recipient: string) => {
    asked.push(recipient);
    const answer = left.shift() ?? 'absent';
    if (answer instanceof CrmError) throw answer;
    return answer;
  };
  return { erase, asked };
}

describe('eraseAt', () => {
  test('counts what became of each, and goes on after one that is refused', async () => {
    const refused = new CrmError('rejected', 'SINK_CRM_REJECTED', 'the CRM answered 422');
    const adapter = answering('erased', refused, 'absent', 'underWay');
    const { recipients, problem } = await eraseAt(adapter, [], ['a', 'b', 'c', 'd'], ready, erasing());
    expect(recipients).toEqual({ erased: 1, absent: 1, underWay: 1, left: 1 });
    expect(problem).toEqual({ code: 'SINK_CRM_REJECTED', text: 'the CRM answered 422' });
    expect(adapter.asked).toEqual(['a', 'b', 'c', 'd']);
  });

  test('asks again what may pass by itself', async () => {
    const adapter = answering(
      new CrmError('throttled', 'SINK_CRM_THROTTLED', '429', { afterMs: 1 }),
      'erased',
    );
    const { recipients, problem } = await eraseAt(adapter, [], ['a'], ready, erasing());
    expect({ recipients, problem }).toMatchObject({ recipients: { erased: 1, left: 0 }, problem: null });
    expect(said.at(-1)).toMatch(/^SINK_CRM_THROTTLED: goes on in \d+ s$/);
  });

  test('stops at credentials that may not, and names what they lack', async () => {
    const adapter = answering(forbidden, forbidden);
    const all = ['a', 'b', 'c'];
    const { recipients, problem } = await eraseAt(adapter, ['contacts.delete'], all, ready, erasing());
    expect(recipients).toMatchObject({ erased: 0, left: 3 });
    expect(problem?.text).toBe('the CRM answered 403 (needs contacts.delete)');
    expect(adapter.asked).toEqual(['a', 'b']);
  });

  test('goes on after one of whom a firewall lets no call through', async () => {
    const adapter = answering('erased', forbidden, 'erased', forbidden, 'erased');
    const all = ['a', 'b', 'c', 'd', 'e'];
    const { recipients, problem } = await eraseAt(adapter, [], all, ready, erasing());
    expect(recipients).toMatchObject({ erased: 3, left: 2 });
    expect(problem?.code).toBe('SINK_CRM_UNAUTHORIZED');
    expect(adapter.asked).toEqual(all);
  });

  test('asks nothing while its sink may still write her', async () => {
    const adapter = answering('erased');
    const { recipients, problem } = await eraseAt(adapter, [], ['a'], async () => false, erasing());
    expect({ recipients, problem }).toMatchObject({
      recipients: { left: 1 },
      problem: { code: 'CLI_SINK_BEHIND' },
    });
    expect(adapter.asked).toEqual([]);
  });

  test('a time that is over leaves the rest', async () => {
    const stop = new AbortController();
    const erase = async (recipient: string): Promise<EraseResult> => {
      if (recipient === 'b') stop.abort();
      stop.signal.throwIfAborted();
      return 'erased';
    };
    const { recipients, problem } = await eraseAt(
      { erase },
      [],
      ['a', 'b', 'c'],
      ready,
      erasing(stop.signal),
    );
    expect({ recipients, problem }).toMatchObject({
      recipients: { erased: 1, left: 2 },
      problem: { code: 'CLI_UNAVAILABLE' },
    });
  });

  test('a CRM without such a call is no failure', async () => {
    expect(await eraseAt({}, [], ['a'], ready, erasing())).toMatchObject({
      recipients: { left: 1 },
      problem: null,
    });
  });
});

const erasure: CrmErasure = {
  ...{ consumer: 'sink-crm', kind: 'brevo', afterwards: 'mailable', problem: null },
  recipients: { erased: 1, absent: 2, underWay: 0, left: 0 },
};

test('a report says whether the address can be mailed there again', () => {
  expect(erasureLines(erasure)).toEqual([
    'sink-crm (brevo): 1 erased, 2 not there',
    '  its opt-out there is gone with the contact: who imports the address there mails it',
  ]);
  expect(erasureLines({ ...erasure, afterwards: 'blocked' })[1]).toContain('keeps the address from');
  expect(erasureLines({ ...erasure, afterwards: 'suppression' })[0]).toMatch(
    /is not asked: .* Leave that there/,
  );
  const absent = { erased: 0, absent: 1, underWay: 0, left: 0 };
  expect(erasureLines({ ...erasure, recipients: absent })[1]).toContain('its opt-out there is gone');
  expect(erasureLines({ ...erasure, afterwards: null })).toEqual([
    'sink-crm (brevo) has no call that erases a contact: erase it there by hand',
  ]);
});

test('a plan names the calls, or why there are none', () => {
  const plan = {
    consumer: 'sink-crm',
    kind: 'brevo',
    afterwards: 'mailable',
    calls: [],
    problem: null,
  } as const;
  expect(planLines(plan)).toEqual(['sink-crm (brevo): not there']);
  const calls = [{ method: 'DELETE', url: 'https://api.brevo.com/v3/contacts/ada' }];
  expect(planLines({ ...plan, calls })[1]).toBe('  DELETE https://api.brevo.com/v3/contacts/ada');
});
