import { BlockList, isIP } from 'node:net';
import { describe, expect, it } from 'vitest';
import { PUBLISHED_ADDRESSES } from './published-addresses.ts';
import { adapters } from './registry.ts';

describe.each(Object.entries(PUBLISHED_ADDRESSES))('the addresses of %s', (esp, { asOf, page, cidrs }) => {
  it('are what its adapter tells, with a day and a page', () => {
    const adapter = adapters.find(({ name }) => name === esp);
    expect(adapter?.http.addresses).toEqual({ asOf, page, cidrs });
    expect(new Date(asOf).toISOString().slice(0, 10)).toBe(asOf);
    expect(page).toMatch(/^https:\/\//);
  });

  it('are networks, each once', () => {
    const networks = new BlockList();
    for (const cidr of cidrs) {
      const [address = '', bits = ''] = cidr.split('/');
      expect(isIP(address), cidr).not.toBe(0);
      networks.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
    }
    expect(new Set(cidrs).size).toBe(cidrs.length);
  });
});

it('has every adapter that publishes addresses', () => {
  const publishing = adapters.filter(({ http }) => http.addresses !== undefined).map(({ name }) => name);
  expect(publishing.sort()).toEqual(Object.keys(PUBLISHED_ADDRESSES).sort());
});

it('knows the networks that Brevo has had since 2025', () => {
  expect(PUBLISHED_ADDRESSES.brevo.cidrs).toContain('172.246.240.0/20');
});
