import type { Answer, Call, CrmHarness, PlayedCrm } from '../src/testing/harness.ts';

const TOKEN = 'example-crm-token-of-the-tests';
const ACCOUNT = 'shop 7';

/** The API as the vendor documents it, not as the adapter uses it. */
export const harness: CrmHarness = { play };

function play(): PlayedCrm {
  const contacts = new Map<string, boolean>();

  function answer(call: Call): Answer {
    if (call.headers.authorization !== `Bearer ${TOKEN}`) return { status: 401 };
    const { account, email } = partsOf(call);
    if (account !== ACCOUNT) return { status: 404 };
    if (email === undefined) return json({ account });
    if (call.method === 'PUT')
      contacts.set(email, (JSON.parse(call.body) as { opted_out: boolean }).opted_out);
    const opted_out = contacts.get(email);
    return opted_out === undefined ? { status: 404 } : json({ email, opted_out });
  }

  return {
    settings: (base) => ({ url: base, secrets: [TOKEN], options: { account: ACCOUNT } }),
    wrongSecrets: ['example-crm-token-of-another-account'],
    answer,
    recipientOf: (call) => partsOf(call).email,
    held(recipient) {
      const suppressed = contacts.get(recipient);
      return suppressed === undefined ? undefined : { suppressed };
    },
    recipients: () => [...contacts.keys()],
    optOut: (recipient) => void contacts.set(recipient, true),
  };
}

/** /accounts/{account}/contacts/{email} */
function partsOf({ url }: Call): { account?: string; email?: string } {
  const [, , account, , email] = url.pathname.split('/').map(decodeURIComponent);
  return { ...(account && { account }), ...(email && { email }) };
}

const json = (body: object): Answer => ({ status: 200, body: JSON.stringify(body) });
