import type { EspAdapter, HttpFacts, Verdict, Verifier } from '@email-events/esps';

const HTTP: HttpFacts = {
  methods: ['POST'],
  probes: ['HEAD', 'GET'],
  contentTypes: ['application/json'],
  keepHeaders: ['x-kept'],
  answers: { later: 503, unauthorized: 401 },
};

/** An ESP that says what the test wants. */
export function fakeAdapter(
  name: string,
  verify: Verifier['verify'] = () => VERIFIED,
  http: Partial<HttpFacts> = {},
): EspAdapter {
  return {
    name,
    title: name,
    documentation: [],
    http: { ...HTTP, ...http },
    credentials: {
      secret: 'anything',
      options: [{ name: 'tokenParameter', required: false, description: 'Where the token is.' }],
    },
    verifier: () => ({ verify }),
    split: () => [],
    normalize: () => [],
    facts: { eventTypes: {}, proof: '', retries: '', identity: '', fills: {}, limitations: [], ignored: [] },
  };
}

export const VERIFIED: Verdict = { outcome: 'verified' };
