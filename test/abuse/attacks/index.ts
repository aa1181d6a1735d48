import type { Attack } from './attack.ts';
import { identityAttacks, itemAttacks, textAttacks, timeAttacks } from './events.ts';
import { fanOutAttacks, stateAttacks, unsignedAttacks } from './requests.ts';

export type { Attack, AttackContext } from './attack.ts';

export const ATTACKS: readonly Attack[] = [
  ...itemAttacks,
  ...fanOutAttacks,
  ...timeAttacks,
  ...textAttacks,
  ...stateAttacks,
  ...identityAttacks,
  ...unsignedAttacks,
];
