import type { Engine } from '../engine.ts';
import { refusedWith, STATUS } from '../engine-answers.ts';

/** Whether the engine has an image of that name. */
export async function isPresent({ docker }: Pick<Engine, 'docker'>, reference: string): Promise<boolean> {
  try {
    await docker.getImage(reference).inspect();
    return true;
  } catch (error) {
    if (refusedWith(error, STATUS.gone)) return false;
    throw error;
  }
}
