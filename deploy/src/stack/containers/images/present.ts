import type { Engine } from '../engine.ts';

const NOT_FOUND = 404;

/** Whether the engine has an image of that name. */
export async function isPresent({ docker }: Pick<Engine, 'docker'>, reference: string): Promise<boolean> {
  try {
    await docker.getImage(reference).inspect();
    return true;
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === NOT_FOUND) return false;
    throw error;
  }
}
