import { describe, expect, it } from 'vitest';
import { recipientDomain, recipientKey } from './recipient.ts';

describe('recipientKey', () => {
  it.each([
    ['trims and lower-cases', '  Ann.Smith@Example.COM\n', 'ann.smith@example.com'],
    ['writes an international domain in ASCII', 'info@MÜNCHEN.example', 'info@xn--mnchen-3ya.example'],
    ['takes both spellings of a letter for one', 'a@mu\u0308nchen.example', 'a@xn--mnchen-3ya.example'],
    ['leaves a domain that is ASCII already', 'a@XN--MNCHEN-3YA.example', 'a@xn--mnchen-3ya.example'],
    ['keeps an international local part', 'Jürgen@münchen.example', 'jürgen@xn--mnchen-3ya.example'],
    ['keeps plus tags and dots', 'a.b+news@example.com', 'a.b+news@example.com'],
    ['takes the last @ of a quoted local part', '"ä@b"@bücher.example', '"ä@b"@xn--bcher-kva.example'],
    ['keeps spaces in a quoted local part', '"a b"@Example.com', '"a b"@example.com'],
    ['keeps an address without a domain', 'Postmaster', 'postmaster'],
    ['keeps an unusable domain', 'ä@exa mple', 'ä@exa mple'],
    ['keeps an empty address', '  ', ''],
  ])('%s', (_, address, key) => {
    expect(recipientKey(address)).toBe(key);
    // A key is its own key, otherwise two stages would disagree on the partition.
    expect(recipientKey(key)).toBe(key);
  });
});

describe('recipientDomain', () => {
  it.each([
    ['a@Example.COM', 'example.com'],
    ['a@bücher.example', 'xn--bcher-kva.example'],
    ['"a@b"@example.com', 'example.com'],
    ['postmaster', ''],
    ['bücher', ''],
    ['a@', ''],
    ['', ''],
  ])('%s → %s', (address, domain) => {
    expect(recipientDomain(address)).toBe(domain);
  });
});
