import { Command } from '@email-events/cli/command';
import { print } from '@email-events/cli/output';
import { printProgress } from '../../progress.ts';
import { allOrFirstFailure } from '../../starting.ts';
import { connectEngine } from '../engine.ts';
import { type ImageContext, provideImage } from '../images/index.ts';
import { provideServicesImages } from '../images/services.ts';
import { OTHERS } from '../specs.ts';

const ROLES = ['kafka', ...OTHERS] as const;

export function buildCommand(signal: AbortSignal): Command {
  return new Command('build')
    .description('Have every image that a stack and our services need: present, pulled or built here')
    .action(() => build(signal));
}

/** All at once, since each waits for other things; the first failure calls the others off. */
async function build(signal: AbortSignal): Promise<void> {
  const engine = await connectEngine();
  const failure = new AbortController();
  const context: ImageContext = {
    engine,
    env: process.env,
    onProgress: printProgress,
    signal: AbortSignal.any([signal, failure.signal]),
  };
  const component = async (role: (typeof ROLES)[number]) => {
    const { reference, standIn } = await provideImage(role, context);
    return `${reference}${standIn ? ' (built here, stands in for the public one)' : ''}`;
  };
  const services = async () => Object.values(await provideServicesImages(context)).join('\n');
  const work = [...ROLES.map(component), services()];
  for (const line of await allOrFirstFailure(work, failure, signal)) print(line);
}
