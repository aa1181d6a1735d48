import { accounts } from './accounts.gen.ts';
import type { Account, Signer } from './kit/account.ts';

export type {
  Account,
  Contract,
  Proof,
  ServerAnswer,
  Signer,
  SignInput,
  TimeFields,
} from './kit/account.ts';
export type { SnsInput } from './kit/speech.ts';
export { accounts };

const BY_ESP: ReadonlyMap<string, Account> = new Map(accounts.map((account) => [account.esp, account]));

/** @throws Error if this ESP has no account. */
export function accountOf(esp: string): Account {
  const account = BY_ESP.get(esp);
  if (!account) throw new Error(`no account for ${esp}: ingress/esps/accounts/${esp}.ts, then npm run gen`);
  return account;
}

/** Signs with new keys. */
export async function createSigner(esp: string): Promise<Signer> {
  const account = accountOf(esp);
  return account.signer(await account.newKey());
}
