// What the contract suite needs to know of the way each ESP proves that a request is its own.
export const HOUR = 3_600_000;

export interface Scheme {
  readonly body: string;
  /** What a changed body comes to; the event of Mailgun and the body of Postmark are not signed. */
  readonly tampered: 'SIGNATURE_WRONG' | 'unnoticed';
  /** What a body without its last byte comes to, if not SIGNATURE_WRONG. */
  readonly truncated?: string;
  readonly wrongKey: string;
  /** How old and how new a signed time may be; null: none is signed, or it does not matter. */
  readonly window: { readonly past: number; readonly future: number } | null;
  /** Header, body field or query parameter without which nothing is proven. */
  readonly proof: RegExp;
  readonly missing: string;
  readonly replayToken: boolean;
  /** Any text can be its key, so only an empty one is certainly wrong. */
  readonly anyKey?: true;
}

/** ESPs that sign nothing and are told a user name and a password. */
const BASIC = {
  tampered: 'unnoticed',
  wrongKey: 'CREDENTIALS_WRONG',
  window: null,
  proof: /^authorization$/,
  missing: 'CREDENTIALS_MISSING',
  replayToken: false,
} as const;

/** By ESP. */
export const SCHEMES: { readonly [esp: string]: Scheme } = {
  sendgrid: {
    body: '[{"email":"a@example.com","event":"open","timestamp":1793610930,"sg_event_id":"e1"}]\r\n',
    tampered: 'SIGNATURE_WRONG',
    wrongKey: 'SIGNATURE_WRONG',
    window: { past: 25 * HOUR, future: 300_000 },
    proof: /signature$/,
    missing: 'SIGNATURE_MISSING',
    replayToken: false,
  },
  mailgun: {
    body: '{"event-data":{"event":"opened","id":"e1","timestamp":1793610930,"recipient":"a@example.com"}}',
    tampered: 'unnoticed',
    wrongKey: 'SIGNATURE_WRONG',
    window: { past: 25 * HOUR, future: 300_000 },
    proof: /"signature":\{[^}]*\},/,
    missing: 'SIGNATURE_MISSING',
    replayToken: true,
    anyKey: true,
  },
  postmark: {
    body: '{"RecordType":"Open","Recipient":"a@example.com","ReceivedAt":"2026-11-02T09:15:29Z","MessageID":"m"}',
    tampered: 'unnoticed',
    wrongKey: 'CREDENTIALS_WRONG',
    window: null,
    proof: /^authorization$/,
    missing: 'CREDENTIALS_MISSING',
    replayToken: false,
  },
  ses: {
    body: '{"eventType":"Send","mail":{"timestamp":"2026-11-02T09:15:29.000Z","messageId":"m","destination":["a@example.com"]}}',
    tampered: 'SIGNATURE_WRONG',
    wrongKey: 'SIGNATURE_WRONG',
    window: { past: 25 * HOUR, future: 300_000 },
    proof: /"Signature":"[^"]*"/,
    missing: 'SIGNATURE_MISSING',
    replayToken: false,
  },
  loops: {
    body: '{"eventName":"email.opened","eventTime":1793610929,"contactIdentity":{"email":"a@example.com"},"email":{"id":"m"}}',
    tampered: 'SIGNATURE_WRONG',
    wrongKey: 'SIGNATURE_WRONG',
    window: { past: 300_000, future: 300_000 },
    proof: /signature$/,
    missing: 'SIGNATURE_MISSING',
    replayToken: false,
  },
  mailersend: {
    body: '{"type":"activity.opened","data":{"id":"e1","created_at":"2026-11-02T09:15:29Z","email":"a@example.com"}}',
    tampered: 'SIGNATURE_WRONG',
    wrongKey: 'SIGNATURE_WRONG',
    window: null,
    proof: /^signature$/,
    missing: 'SIGNATURE_MISSING',
    replayToken: false,
    anyKey: true,
  },
  customerio: {
    body: '{"event_id":"e1","object_type":"email","metric":"opened","timestamp":1793610929,"data":{"recipient":"a@example.com"}}',
    tampered: 'SIGNATURE_WRONG',
    wrongKey: 'SIGNATURE_WRONG',
    window: { past: 169 * HOUR, future: 300_000 },
    proof: /signature$/,
    missing: 'SIGNATURE_MISSING',
    replayToken: false,
    anyKey: true,
  },
  mailtrap: {
    body: '{"events":[{"event":"open","event_id":"e1","timestamp":1793610929,"email":"a@example.com"}]}',
    tampered: 'SIGNATURE_WRONG',
    wrongKey: 'SIGNATURE_WRONG',
    window: null,
    proof: /signature$/,
    missing: 'SIGNATURE_MISSING',
    replayToken: false,
    anyKey: true,
  },
  postal: {
    body: '{"event":"MessageLoaded","timestamp":1793610929.25,"payload":{"message":{"to":"a@example.com"}},"uuid":"u1"}',
    tampered: 'SIGNATURE_WRONG',
    wrongKey: 'SIGNATURE_WRONG',
    window: null,
    proof: /signature/,
    missing: 'SIGNATURE_MISSING',
    replayToken: false,
  },
  resend: {
    body: '{"type":"email.opened","created_at":"2026-11-02T09:15:29.000Z","data":{"email_id":"m","to":["a@example.com"]}}',
    tampered: 'SIGNATURE_WRONG',
    wrongKey: 'SIGNATURE_WRONG',
    window: { past: 300_000, future: 300_000 },
    proof: /signature$/,
    missing: 'SIGNATURE_MISSING',
    replayToken: false,
  },
  'standard-webhooks': {
    body: '{"id":"e1","type":"queued","occurred_at":1793610930000,"recipient":"a@example.com"}',
    tampered: 'SIGNATURE_WRONG',
    wrongKey: 'SIGNATURE_WRONG',
    window: { past: 300_000, future: 300_000 },
    proof: /signature$/,
    missing: 'SIGNATURE_MISSING',
    replayToken: false,
  },
  brevo: {
    ...BASIC,
    body: '{"event":"opened","email":"a@example.com","ts_epoch":1793610929000,"message-id":"<m@smtp-relay.mailin.fr>"}',
  },
  mailjet: {
    ...BASIC,
    body: '{"event":"open","time":1793610929,"MessageID":19421777835146490,"email":"a@example.com"}',
  },
  mandrill: {
    body: '[{"event":"open","ts":1793610929,"_id":"m","msg":{"_id":"m","email":"a@example.com"}}]',
    tampered: 'SIGNATURE_WRONG',
    wrongKey: 'SIGNATURE_WRONG',
    window: null,
    proof: /^x-mandrill-signature$/,
    missing: 'SIGNATURE_MISSING',
    replayToken: false,
    anyKey: true,
  },
  elasticemail: {
    ...BASIC,
    body: 'to=a%40example.com&status=Opened&date=11%2F2%2F2026+9%3A15%3A29+AM&messageid=m',
    proof: /&?token=[^&]*/,
    anyKey: true,
  },
  smtp2go: {
    ...BASIC,
    body: '{"event":"open","time":"2026-11-02T09:15:29Z","rcpt":"a@example.com","email_id":"m"}',
  },
  'unisender-go': {
    body: '{"events_by_user":[{"user_id":1,"events":[{"event_name":"transactional_email_status","event_data":{"job_id":"m","email":"a@example.com","status":"opened","event_time":"2026-11-02 09:15:29"}}]}]}',
    tampered: 'SIGNATURE_WRONG',
    truncated: 'BODY_UNREADABLE',
    wrongKey: 'SIGNATURE_WRONG',
    window: null,
    proof: /"auth":"[0-9a-f]*"/,
    missing: 'SIGNATURE_MISSING',
    replayToken: false,
    anyKey: true,
  },
  sparkpost: {
    ...BASIC,
    body: '[{"msys":{"track_event":{"type":"open","raw_rcpt_to":"a@example.com","timestamp":"1793610929","event_id":"1"}}}]',
  },
  zeptomail: {
    body: '{"event_name":["email_open"],"event_message":[{"email_info":{"to":[{"email_address":{"address":"a@example.com"}}]},"event_data":[{"object":"email_open","details":[{"time":1793610929}]}]}]}',
    tampered: 'unnoticed',
    wrongKey: 'CREDENTIALS_WRONG',
    window: null,
    proof: /^authorization$/,
    missing: 'CREDENTIALS_MISSING',
    replayToken: false,
    anyKey: true,
  },
};
