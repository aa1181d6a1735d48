import { expect, test } from 'vitest';
import { whyNoEngine } from './engine.ts';
import type { EngineFacts } from './set-up/facts.ts';
import { decide } from './set-up/facts.ts';

/** As root on Debian, where `engine start` does what can be done. */
const debian: EngineFacts = {
  ...{ platform: 'linux', root: true, distribution: { name: 'Debian', debian: true } },
  ...{ dockerHost: undefined, socket: 'silent', missing: ['dockerd'] },
};

test.each([
  ['another engine is named', 'tcp://127.0.0.1:1', 'ENOENT', { dockerHost: 'tcp://127.0.0.1:1' }],
  ['something else listens', undefined, undefined, { socket: 'answers' }],
  ['this user may not', undefined, 'EACCES', { socket: 'denied' }],
  ['there is none', undefined, 'ENOENT', {}],
  ['one is left', undefined, 'ECONNREFUSED', {}],
] satisfies [string, string | undefined, string | undefined, Partial<EngineFacts>][])(
  '`engine start` is named just where it would not refuse: %s',
  (_, dockerHost, socketError, facts) => {
    const starts = decide({ ...debian, ...facts }).do === 'start';
    const text = whyNoEngine(dockerHost, socketError);
    expect([text.includes('engine start'), text.includes('STACK=local')]).toEqual([starts, true]);
  },
);
