/**
 * Addresses that ESPs publish for their webhooks (CIDR): data that grows old, so each list says when it was read and where.
 * Defaults that an operator may use, never enforced by themselves.
 */
export interface PublishedAddresses {
  /** Day on which the page was read. */
  readonly asOf: string;
  readonly page: string;
  readonly cidrs: readonly string[];
}

const single = (addresses: string): string[] =>
  addresses
    .trim()
    .split(/\s+/)
    .map((address) => `${address}/32`);

export const PUBLISHED_ADDRESSES = {
  brevo: {
    asOf: '2026-11-29',
    page: 'https://help.brevo.com/hc/en-us/articles/15127404548498-Brevo-IP-ranges-List-of-publicly-exposed-services',
    cidrs: [
      '1.179.112.0/20',
      '172.246.240.0/20',
      // Not on the page any more, in its own documentation of webhooks still.
      '185.107.232.0/24',
    ],
  },
  customerio: {
    asOf: '2026-11-23',
    page: 'https://docs.customer.io/api/webhooks',
    cidrs: single(`
      35.188.196.183 104.198.177.219 104.154.232.87 130.211.229.195 104.198.221.24
      104.197.27.15 35.194.9.154 104.154.144.51 104.197.210.12 35.225.6.73
      34.76.143.229 34.78.91.47 34.77.94.252 35.187.188.242 34.78.122.90
      35.195.137.235 130.211.108.156 104.199.50.18 34.78.44.80 35.205.31.154
      136.111.237.157 34.10.127.179`),
  },
  mailtrap: {
    asOf: '2026-11-23',
    page: 'https://mailtrap.io/ip-ranges.json',
    cidrs: ['45.158.83.0/24', '5.181.200.0/24'],
  },
  resend: {
    asOf: '2026-11-23',
    page: 'https://resend.com/docs/webhooks/introduction',
    cidrs: [...single('44.228.126.217 50.112.21.217 52.24.126.164 54.148.139.208'), '2600:1f24:64:8000::/52'],
  },
} as const satisfies { readonly [esp: string]: PublishedAddresses };
