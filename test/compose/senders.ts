import { randomUUID } from 'node:crypto';
import { createSigner } from '@email-events/esps/accounts';
import { Agent, request } from 'undici';
import type { Deployment } from './deployment.ts';

/** ESPs that send to a deployment over HTTPS, trusting its own certificate alone. */
export interface Senders {
  /** An entry of `sources` beside the file's own, whose requests are signed. */
  readonly sources: object;
  /** One bounce as Postmark sends it, with the credentials of the file's source. The status that it was answered with. */
  bounce(address: string, credentials?: string): Promise<number>;
  /** Deliveries as SendGrid sends them, in one signed request. */
  deliver(addresses: readonly string[], spoil?: boolean): Promise<number>;
  connect(to: Deployment): void;
  close(): Promise<void>;
}

export async function createSenders(): Promise<Senders> {
  const signer = await createSigner('sendgrid');
  let deployment: Deployment | undefined;
  let agent: Agent | undefined;
  const post = async (source: string, headers: object, body: string | Buffer) => {
    if (!deployment || !agent) throw new Error('there is no deployment yet');
    const url = `https://localhost:${deployment.ports.https}/webhooks/email-events/${source}`;
    const answer = await request(url, {
      ...{ method: 'POST', body, dispatcher: agent },
      headers: { ...headers, 'content-type': 'application/json' },
    });
    await answer.body.dump();
    return answer.statusCode;
  };
  let bounces = 0;
  return {
    sources: { sendgrid: { esp: 'sendgrid', secrets: signer.settings.secrets } },
    bounce(address, credentials = deployment?.sourceSecret ?? '') {
      bounces++;
      return post(
        'postmark',
        { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
        JSON.stringify({
          ...{ RecordType: 'Bounce', Type: 'HardBounce', TypeCode: 1, ID: bounces, MessageID: randomUUID() },
          ...{
            Email: address,
            BouncedAt: new Date().toISOString(),
            Inactive: true,
            MessageStream: 'outbound',
          },
        }),
      );
    },
    deliver(addresses, spoil = false) {
      const timestamp = Math.floor(Date.now() / 1_000);
      const items = addresses.map((email) => ({
        ...{
          email,
          timestamp,
          event: 'delivered',
          response: '250 OK',
          'smtp-id': `<${randomUUID()}@example.com>`,
        },
        ...{ sg_event_id: randomUUID(), sg_message_id: `${randomUUID()}.filter` },
      }));
      const url = '/webhooks/email-events/sendgrid';
      const { headers, body } = signer.sign({ body: JSON.stringify(items), at: Date.now(), url });
      return post('sendgrid', headers, spoil ? `${body} ` : Buffer.from(body));
    },
    connect(to) {
      deployment = to;
      agent = new Agent({ connections: 32, connect: { ca: to.certificate } });
    },
    close: async () => agent?.close(),
  };
}
