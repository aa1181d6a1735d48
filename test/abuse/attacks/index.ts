import type { Attack } from './attack.ts';
import { fanOutAttacks } from './fan-out.ts';
import { identityAttacks } from './identity.ts';
import { itemAttacks } from './items.ts';
import { stateAttacks } from './states.ts';
import { textAttacks } from './texts.ts';
import { timeAttacks } from './times.ts';
import { unsignedAttacks } from './unsigned.ts';

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
