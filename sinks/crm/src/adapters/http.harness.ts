import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { type Instants, newestInstants } from '../engagement.ts';
import { instantsIn } from '../testing/engaged.ts';
import type { Answer, Call, CrmHarness, PlayedCrm } from '../testing/harness.ts';
import type { SuppressionBody } from './http.ts';

const [OLD, NEW, STRANGE] = [1, 2, 3].map((fill) => `whsec_${Buffer.alloc(24, fill).toString('base64')}`) as [
  string,
  string,
  string,
];

/** A receiver that does what the README asks of one. It still takes the older of the two secrets only. */
export const harness: CrmHarness = { play };

function play(): PlayedCrm {
  const states = new Map<string, SuppressionBody>();
  const engaged = new Map<string, Instants>();
  const store = (state: SuppressionBody) => {
    const before = states.get(state.recipient);
    const version = before?.revision && state.revision ? 'revision' : 'recorded_at';
    if (!before || state[version] >= before[version]) states.set(state.recipient, state);
  };
  /** Of each the newest, whether or not it has a state of the recipient. */
  function takeEngagement(call: Call): Answer {
    if (!isSigned(call)) return { status: 401 };
    if (call.method !== 'POST') return { status: 204 };
    const { recipient, ...fields } = JSON.parse(call.body) as { recipient: string };
    engaged.set(recipient, newestInstants(engaged.get(recipient) ?? {}, instantsIn(fields, Number)));
    return { status: 204 };
  }
  return {
    settings: (base) => ({
      url: `${base}/hook?tenant=7`,
      secrets: [NEW, OLD],
      options: { engagementUrl: `${base}/engagement` },
    }),
    wrongSecrets: [STRANGE],
    answer(call): Answer {
      if (call.url.pathname === '/engagement') return takeEngagement(call);
      if (call.url.pathname !== '/hook' || call.url.search !== '?tenant=7') return { status: 404 };
      if (!isSigned(call)) return { status: 401 };
      if (call.method === 'POST') store(JSON.parse(call.body) as SuppressionBody);
      return { status: 204 };
    },
    recipientOf: ({ method, body }) =>
      method === 'POST' ? (JSON.parse(body) as SuppressionBody).recipient : undefined,
    held(recipient) {
      const state = states.get(recipient);
      if (!state) return undefined;
      const reasons = state.reasons.map(({ reason, scope }) => `${reason}:${scope}`);
      return { suppressed: state.suppressed, reasons };
    },
    recipients: () => [...states.keys()],
    engaged: (recipient) => engaged.get(recipient),
  };
}

function isSigned({ headers, body }: Call): boolean {
  try {
    new Webhook(OLD).verify(body, { ...headers }, { jsonParse: false });
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}
