import type { Domain, Programme, Random, Recipient, Variant } from '@email-events/esps/accounts/kit/speech';
import { recipientKey } from '@email-events/schemas';

const domain = (name: string, share: number, rates: Partial<Domain> = {}): Domain => ({
  name,
  share,
  deferred: 0.03,
  hardBounce: 0.01,
  softBounce: 0.01,
  complaint: 0.002,
  machineOpen: 0.02,
  mx: `mx1.${name}`,
  ...rates,
});

/** Reserved names (RFC 2606) that behave like the kinds of receivers there are; one is internationalized. */
export const DOMAINS: readonly Domain[] = [
  domain('gmail.example', 0.38, { machineOpen: 0.12, complaint: 0.0015, mx: 'gmail-smtp-in.gmail.example' }),
  domain('outlook.example', 0.18, { deferred: 0.1, softBounce: 0.03, complaint: 0.006 }),
  domain('icloud.example', 0.14, { machineOpen: 0.6 }),
  domain('yahoo.example', 0.12, { deferred: 0.12, complaint: 0.012, softBounce: 0.02 }),
  domain('acme.example', 0.08, { hardBounce: 0.03, machineOpen: 0.15 }),
  domain('bücher.example', 0.05),
  domain('university.example', 0.03, { hardBounce: 0.08, softBounce: 0.06, deferred: 0.2 }),
  domain('old-isp.example', 0.02, { hardBounce: 0.15, softBounce: 0.1, deferred: 0.25, complaint: 0.03 }),
];

const only = (subject: string): readonly Variant[] => [{ name: '', subject, appeal: 1 }];

// B is really better, so that the comparison has something to find.
export const PROGRAMMES: readonly Programme[] = [
  {
    ...{ name: 'spring-sale', kind: 'campaign', stream: 'offers', sender: 'offers@shop.example' },
    variants: [
      { name: 'A', subject: 'Our spring sale has begun', appeal: 1 },
      { name: 'B', subject: '20 % off everything until Sunday 🌷', appeal: 1.4 },
    ],
    ...{ from: 0, to: 0.5, share: 0.34, open: 0.3, click: 0.2, tags: ['marketing', 'sale'] },
  },
  {
    ...{ name: 'product-news', kind: 'campaign', stream: 'newsletter', sender: 'news@shop.example' },
    variants: [
      { name: 'A', subject: 'What is new in June', appeal: 1 },
      { name: 'B', subject: 'Three things you asked for', appeal: 1.25 },
    ],
    ...{ from: 0.2, to: 0.8, share: 0.26, open: 0.34, click: 0.16, tags: ['marketing', 'newsletter'] },
  },
  {
    ...{ name: 'loyalty-points', kind: 'campaign', stream: 'offers', sender: 'club@shop.example' },
    variants: only('Your points at the end of the month'),
    ...{ from: 0.5, to: 1, share: 0.12, open: 0.4, click: 0.12, tags: ['marketing'] },
  },
  {
    ...{ name: 'receipts', kind: 'transactional', stream: 'receipts', sender: 'orders@shop.example' },
    variants: only('Your receipt — “Grüße aus dem Laden”'),
    ...{ from: 0, to: 1, share: 0.14, open: 0.6, click: 0.08, tags: ['receipt'] },
  },
  {
    ...{ name: 'password-reset', kind: 'transactional', stream: 'account', sender: 'account@shop.example' },
    variants: only('Reset your password'),
    ...{ from: 0, to: 1, share: 0.06, open: 0.75, click: 0.7, tags: [] },
  },
  {
    ...{ name: 'shipping', kind: 'transactional', stream: 'receipts', sender: 'orders@shop.example' },
    variants: only('Your parcel is on its way'),
    ...{ from: 0, to: 1, share: 0.08, open: 0.7, click: 0.35, tags: ['shipping', 'parcel'] },
  },
];

const FIRST = [
  'anna',
  'ben',
  'chloe',
  'david',
  'emma',
  'felix',
  'grace',
  'hugo',
  'ines',
  'jan',
  'kim',
  'lea',
];
const LAST = [
  'archer',
  'becker',
  'cohen',
  'diaz',
  'evans',
  'fischer',
  'garcia',
  'horvat',
  'ito',
  'jones',
  'kaya',
];

/** The recipient with this number in this run. Names hold the run's id, so runs never share a recipient. */
export function createRecipient(
  index: number,
  habit: Recipient['habit'],
  runId: string,
  random: Random,
): Recipient {
  const home = random.weighted(DOMAINS, ({ share }) => share);
  const name = `${random.pick(FIRST)}.${random.pick(LAST)}${index}`;
  const local = random.chance(0.06) ? `${name}+${runId}` : `${name}.${runId}`;
  return { index, key: recipientKey(`${local}@${home.name}`), domain: home, habit };
}

/** The address as one sender or another has it in its list: other cases, the domain in either form. */
export function spellingOf(recipient: Recipient, random: Random): string {
  const { key, domain: home } = recipient;
  const local = key.slice(0, key.lastIndexOf('@'));
  const address = random.chance(0.5) ? key : `${local}@${home.name}`;
  const roll = random.int(1, 100);
  if (roll <= 3) return address.toUpperCase();
  if (roll <= 8) return address.charAt(0).toUpperCase() + address.slice(1);
  return address;
}
