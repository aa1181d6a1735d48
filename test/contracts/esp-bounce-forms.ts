// A bounce as each ESP reports it, with the hardest word that the ESP has and whatever the receiving server answered.

/** What the receiving server said: reply code, enhanced status where it has one, and the whole line. */
export interface ServerAnswer {
  readonly code: number;
  readonly status: string | null;
  readonly line: string;
}

const TO = 'ada@example.com';
const AT = 1_793_610_929;
const ISO = new Date(AT * 1000).toISOString();

/** By ESP: what its signer signs. */
export const BOUNCE_FORMS: { readonly [esp: string]: (answer: ServerAnswer) => string } = {
  sendgrid: ({ status, line }) =>
    JSON.stringify([
      { event: 'bounce', type: 'bounce', email: TO, timestamp: AT, sg_event_id: 'e', status, reason: line },
    ]),
  mailgun: ({ code, status, line }) =>
    JSON.stringify({
      'event-data': {
        ...{
          event: 'failed',
          severity: 'permanent',
          reason: 'generic',
          id: 'e',
          timestamp: AT,
          recipient: TO,
        },
        'delivery-status': { code, 'enhanced-code': status ?? '', message: line },
      },
    }),
  postmark: ({ line }) =>
    JSON.stringify({
      ...{ RecordType: 'Bounce', Type: 'HardBounce', ID: 1, MessageID: 'm', Email: TO, BouncedAt: ISO },
      Details: `smtp;${line}`,
    }),
  ses: ({ status, line }) =>
    JSON.stringify({
      eventType: 'Bounce',
      mail: { messageId: 'm', timestamp: ISO, destination: [TO] },
      bounce: {
        ...{ bounceType: 'Permanent', bounceSubType: 'General', feedbackId: 'f', timestamp: ISO },
        bouncedRecipients: [
          { emailAddress: TO, status: status ?? undefined, diagnosticCode: `smtp; ${line}` },
        ],
      },
    }),
  sparkpost: ({ code, line }) =>
    JSON.stringify([
      {
        msys: {
          message_event: {
            ...{ type: 'bounce', bounce_class: '10', event_id: 'e', timestamp: String(AT), rcpt_to: TO },
            ...{ error_code: String(code), raw_reason: line },
          },
        },
      },
    ]),
  mandrill: ({ line }) =>
    JSON.stringify([
      {
        ...{ event: 'hard_bounce', _id: 'm', ts: AT },
        msg: { _id: 'm', email: TO, bounce_description: 'general', diag: `smtp;${line}` },
      },
    ]),
  mailjet: ({ line }) =>
    JSON.stringify({ event: 'bounce', hard_bounce: true, email: TO, time: AT, MessageID: 1, comment: line }),
  brevo: ({ line }) =>
    JSON.stringify({
      event: 'hard_bounce',
      email: TO,
      ts_epoch: AT * 1000,
      'message-id': '<m>',
      reason: line,
    }),
  resend: ({ line }) =>
    JSON.stringify({
      type: 'email.bounced',
      created_at: ISO,
      data: {
        email_id: 'm',
        to: [TO],
        bounce: { type: 'Permanent', subType: 'General', message: 'x', diagnosticCode: [line] },
      },
    }),
  mailersend: ({ code, line }) =>
    JSON.stringify({
      type: 'activity.hard_bounced',
      data: { id: 'e', created_at: ISO, email: TO, meta: { bounce_code: code, bounce_reason: line } },
    }),
  mailtrap: ({ code, line }) =>
    JSON.stringify({
      events: [
        {
          ...{ event: 'bounce', event_id: 'e', message_id: 'm', email: TO, timestamp: AT },
          ...{ response_code: code, response: line, bounce_category: 'badrecipient' },
        },
      ],
    }),
  customerio: ({ line }) =>
    JSON.stringify({
      ...{ object_type: 'email', metric: 'bounced', event_id: 'e', timestamp: AT },
      data: { recipient: TO, delivery_id: 'd', failure_message: line },
    }),
  postal: ({ line }) =>
    JSON.stringify({
      event: 'MessageDeliveryFailed',
      timestamp: AT,
      uuid: 'u',
      payload: {
        message: { id: 1, to: TO, direction: 'outgoing' },
        status: 'HardFail',
        details: 'Permanent SMTP delivery error when sending to mx.example.com',
        output: line,
      },
    }),
  'unisender-go': ({ line }) =>
    JSON.stringify({
      events_by_user: [
        {
          events: [
            {
              event_name: 'transactional_email_status',
              event_data: {
                ...{ status: 'hard_bounced', job_id: 'j', email: TO, event_time: '2026-11-02 09:15:29' },
                delivery_info: { destination_response: line },
              },
            },
          ],
        },
      ],
    }),
  smtp2go: ({ line }) =>
    JSON.stringify({ event: 'bounce', bounce: 'hard', rcpt: TO, email_id: 'm', time: ISO, message: line }),
  zeptomail: ({ line }) =>
    JSON.stringify({
      event_name: ['hardbounce'],
      event_message: [
        {
          request_id: 'r',
          email_info: {},
          event_data: [
            {
              object: 'hardbounce',
              details: [{ bounced_recipient: TO, time: ISO, diagnostic_message: line }],
            },
          ],
        },
      ],
    }),
  'standard-webhooks': ({ code, status, line }) =>
    JSON.stringify({
      ...{ type: 'bounced', id: 'e', occurred_at: ISO, recipient: TO },
      ...{ smtp_code: code, enhanced_status: status ?? undefined, diagnostic: line },
    }),
};

/** ESPs that pass on nothing of what the server answered. */
export const WITHOUT_ANSWER = ['elasticemail', 'loops'];
