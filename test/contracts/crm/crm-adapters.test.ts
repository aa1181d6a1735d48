import { pipelineConfig } from '@email-events/cli/services';
import {
  type CallPace,
  checkCrmSettings,
  crms,
  plannedCalls,
  RECIPIENT_STATES,
  type RecipientStateName,
} from '@email-events/sink-crm';
import { type Call, listedBy } from '@email-events/sink-crm/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { adapterFiles, batch, openWorld, playableCrms, settingsOf, suppression } from './crm-world.ts';

/**
 * The promises of every CRM's adapter while all is well. Each is held to its own description, by a CRM that its harness plays on a port of
 * the loopback; the harness is responsible for playing that CRM truly.
 */
const { signal } = new AbortController();
const playable = await playableCrms();

/** Reasons of each state that an adapter describes. */
const REASONS: { readonly [N in RecipientStateName]: readonly (readonly string[])[] } = {
  hard_bounce: [['hard_bounce:all']],
  complaint: [['complaint:all']],
  unsubscribe: [['unsubscribe:all'], ['unsubscribe:newsletter', 'unsubscribe:all']],
  soft_bounces: [['soft_bounces:all']],
  manual: [['manual:all']],
  stream: [['unsubscribe:newsletter'], ['unsubscribe:account:shop', 'complaint:offers']],
  lifted: [[]],
};

const ODD = [
  `o'brien+news@example.com`,
  'a/b?c#d&e=f%2f;g,h@example.com',
  '"two words"@example.com',
  '"a\\"b\\\\c"@example.com',
  '<b>{{x}}$y@example.com',
  'zoë@example.com',
  '名前🙂@xn--fsq.example',
  `${'l'.repeat(64)}@${'d'.repeat(60)}.example`,
];

test('every adapter is in the registry under the name of its file, and has a harness', () => {
  const { adapters, harnesses } = adapterFiles();
  expect(crms.map(({ name }) => name).sort()).toEqual(adapters);
  expect(harnesses).toEqual(adapters);
});

test('a kind that no adapter has is refused, and those that there are named', () => {
  const config = pipelineConfig.parse({ sinks: { crm: { kind: 'carrier-pigeon' } } });
  expect(() => checkCrmSettings(config)).toThrow(
    `sinks.crm.kind: no CRM is called carrier-pigeon; there are: ${crms.map(({ name }) => name).join(', ')}`,
  );
});

describe.each(playable)('$name', (subject) => {
  const { crm, harness } = subject;
  const { facts } = crm;

  test('describes itself', () => {
    expect(crm.title).not.toBe('');
    for (const page of crm.documentation) expect(page).toMatch(/^https:/);
    for (const state of RECIPIENT_STATES) expect(facts.states[state].how).not.toBe('');
    // The sink exists for these: no CRM may be described as one that goes on mailing them.
    for (const state of ['hard_bounce', 'complaint', 'unsubscribe'] as const)
      expect(facts.states[state].effect).toBe('suppresses');
    const { url, secrets, options } = crm.settings.shape;
    for (const setting of [url, secrets, ...Object.values(options.shape)]) {
      expect((setting as { description?: string }).description).toBeTruthy();
    }
  });

  test('can do what it declares', async () => {
    const { adapter } = await openWorld(subject);
    const { capabilities, scopes = [], pace, undoesOptOuts, newerStays, states } = facts;
    for (const how of [...Object.values(capabilities ?? {}), ...scopes, undoesOptOuts])
      expect(how).not.toBe('');
    if (capabilities) {
      expect(capabilities.suppressAll).not.toBe(false);
      expect(capabilities.conditionalWrite !== false).toBe(newerStays);
      expect(capabilities.listSuppressed !== false).toBe(adapter.suppressed !== undefined);
    }
    // Where nothing is undone, no opt-out is.
    if (undoesOptOuts !== undefined) expect(states.lifted.effect).toBe('allows');
    for (const { calls, perMs } of pace?.windows ?? []) {
      expect(calls).toBeGreaterThan(0);
      expect(perMs).toBeGreaterThan(0);
    }
    for (const header of Object.values(pace?.headers ?? {})) expect(header).toMatch(/^[a-z0-9-]+$/);
  });

  // Not skipped where it is not so: a skipped test fails a run in CI.
  if (facts.capabilities?.listSuppressed)
    test('its listing goes on where a page said, in another process too', async () => {
      const { played, adapter, newAdapter } = await openWorld(subject);
      played.optOut?.('out@example.com');
      // Where an opt-out made in the CRM is apart from what we write, only that is listed.
      const listsOptOuts = (await listedBy(adapter)).length > 0;
      const off = Array.from({ length: listsOptOuts ? 2_050 : 120 }, (_, n) => `person-${n}@example.com`);
      for (const recipient of off) {
        const state = { suppression: suppression(recipient, 'complaint:all'), recordedAt: 1 };
        if (listsOptOuts) played.optOut?.(recipient);
        else await adapter.put(state, signal);
      }
      if (listsOptOuts) off.push('out@example.com');
      const listed: string[] = [];
      let from: string | undefined;
      let pages = 0;
      do {
        const lister = pages % 5 === 0 ? newAdapter() : adapter;
        for await (const { contacts, next } of lister.suppressed?.(signal, from) ?? []) {
          listed.push(...contacts.map(({ recipient }) => recipient));
          from = next;
          break;
        }
        pages += 1;
      } while (from !== undefined && pages < 3_000);
      expect(from).toBeUndefined();
      expect(pages).toBeGreaterThan(1);
      expect(listed.sort()).toEqual(off.sort());
    });

  test('its calls can be planned: none of them is made, and they are those that are made then', async () => {
    const { played, server, adapter, settings } = await openWorld(subject);
    const state = { suppression: suppression('ada@example.com', 'complaint:all'), recordedAt: 1 };
    const planned = await plannedCalls(crm, settings, state, { pace: undefined, signal });
    expect(planned).not.toEqual([]);
    expect(played.held('ada@example.com')?.suppressed ?? false).toBe(false);
    const isRead = (call: Call) => ['GET', 'HEAD'].includes(call.method) || played.reads?.(call) === true;
    expect(server.calls.filter((call) => !isRead(call))).toEqual([]);
    for (const secret of settings.secrets) expect(JSON.stringify(planned)).not.toContain(secret.reveal());
    const { length } = server.calls;
    await adapter.put(state, signal);
    const made = server.calls.slice(length).map(({ method, url, body }) => ({ method, url: url.href, body }));
    for (const { method, url, body = '' } of planned) expect(made).toContainEqual({ method, url, body });
    if ((await adapter.put(state, signal)) !== 'unchanged') return;
    // What the CRM shows to hold already needs no call.
    expect(await plannedCalls(crm, settings, state, { pace: undefined, signal })).toEqual([]);
  });

  test('every call that it makes counts for its pace', async () => {
    let paced = 0;
    const pace: CallPace = {
      run(call) {
        paced += 1;
        return call();
      },
    };
    const { server, settings } = await openWorld(subject);
    const adapter = crm.connect(settings, Date.now, pace);
    onTestFinished(() => adapter.close());
    await adapter.check(signal);
    for (const reasons of [['complaint:all'], ['unsubscribe:newsletter'], []])
      await adapter.put({ suppression: suppression('ada@example.com', ...reasons), recordedAt: 1 }, signal);
    expect(paced).toBeGreaterThan(1);
    expect(server.calls).toHaveLength(paced);
  });

  test('takes the settings of its harness, and says all that is wrong with others', () => {
    const access = harness.play().settings('http://127.0.0.1:1');
    const problems = (other: object) => {
      const found = crm.problems(settingsOf(crm.name, { ...access, ...other }));
      for (const secret of access.secrets) expect(JSON.stringify(found)).not.toContain(secret);
      return found.map(({ path }) => path);
    };
    expect(problems({})).toEqual([]);
    expect(problems({ secrets: [] })).toEqual(['sinks.crm.secrets']);
    expect(problems({ secrets: ['\n'.padStart(9, 'x')] })).toEqual(['sinks.crm.secrets.0']);
    expect(problems({ url: 'http://crm.example/' })).toEqual(['sinks.crm.url']);
    expect(problems({ url: 'https://user:password@crm.example/' })).toEqual(['sinks.crm.url']);
    expect(problems({ url: 'ftp://127.0.0.1/', options: { ...access.options, 'no-such': 1 } })).toEqual([
      'sinks.crm.url',
      'sinks.crm.options.no-such',
    ]);
  });

  const states = RECIPIENT_STATES.flatMap((state) => REASONS[state].map((reasons) => ({ state, reasons })));

  test.each(states)('$state $reasons arrives, whatever was there before', async ({ state, reasons }) => {
    const { played, adapter } = await openWorld(subject);
    const { effect } = facts.states[state];
    for (const [index, before] of [undefined, ['complaint:all'], []].entries()) {
      const recipient = `ada${index}@example.com`;
      if (before)
        await adapter.put({ suppression: suppression(recipient, ...before), recordedAt: 1 }, signal);
      const held = played.held(recipient);
      const result = await adapter.put(
        { suppression: suppression(recipient, ...reasons), recordedAt: 2 },
        signal,
      );
      const now = played.held(recipient);
      if (effect === 'leaves') expect([now, result]).toEqual([held, 'unchanged']);
      else expect(now?.suppressed ?? false).toBe(effect === 'suppresses');
      if (facts.keepsReasons) expect([...(now?.reasons ?? [])].sort()).toEqual([...reasons].sort());
    }
  });

  test('a state that is written again, by another process too, changes nothing', async () => {
    const { played, adapter, newAdapter } = await openWorld(subject);
    const state = { suppression: suppression('ada@example.com', 'hard_bounce:all'), recordedAt: 5 };
    await adapter.put(state, signal);
    const held = played.held('ada@example.com');
    for (const again of [adapter, newAdapter()]) await again.put(state, signal);
    expect(held?.suppressed).toBe(true);
    expect(played.held('ada@example.com')).toEqual(held);
    expect(played.recipients()).toEqual(['ada@example.com']);
  });

  // Not skipped where it is not so: a skipped test fails a run in CI.
  if (facts.newerStays)
    test('an older state that arrives late changes nothing', async () => {
      const { played, adapter } = await openWorld(subject);
      const [ada, later] = ['ada@example.com', { recordedAt: 5 }];
      await adapter.put({ suppression: suppression(ada, 'complaint:all'), ...later }, signal);
      const held = played.held(ada);
      await adapter.put({ suppression: suppression(ada), recordedAt: 4 }, signal);
      expect(played.held(ada)).toEqual(held);
      if (facts.states.lifted.effect !== 'allows') return;
      await adapter.put({ suppression: suppression(ada), ...later }, signal);
      expect(played.held(ada)?.suppressed).toBe(false);
    });

  test('addresses with odd characters arrive as they are, and touch no other', async () => {
    const { played, adapter } = await openWorld(subject);
    for (const recipient of ODD) {
      await adapter.put({ suppression: suppression(recipient, 'hard_bounce:all'), recordedAt: 1 }, signal);
      expect(played.held(recipient)?.suppressed, recipient).toBe(true);
    }
    expect(played.recipients().sort()).toEqual([...ODD].sort());
    const [first = '', ...others] = ODD;
    await adapter.put({ suppression: suppression(first), recordedAt: 2 }, signal);
    for (const recipient of others) expect(played.held(recipient)?.suppressed, recipient).toBe(true);
  });

  test('a check finds the CRM, leaves no trace, and fails once nobody is there', async () => {
    const { played, server, adapter } = await openWorld(subject);
    await adapter.check(signal);
    expect(server.calls).not.toEqual([]);
    expect(played.recipients()).toEqual([]);
    await server.close();
    await expect(adapter.check(signal)).rejects.toMatchObject({ code: 'SINK_CRM_UNREACHABLE' });
  });

  test('a dry run makes no call', async () => {
    const { server, sink } = await openWorld(subject, { dryRun: true });
    const two = [suppression('a@example.com', 'complaint:all'), suppression('b@example.com')];
    await sink.check(signal);
    expect(await sink.write(batch(...two), signal)).toEqual(two.map(() => ({ outcome: 'delivered' })));
    expect(server.calls).toEqual([]);
  });
});
