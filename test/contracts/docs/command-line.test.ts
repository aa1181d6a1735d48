import { expect, test } from 'vitest';
import { commandProblem } from './command-line.ts';

test.each([
  'npm start -- --demo --exit',
  'npm run gen',
  'npm run bench -- ingress',
  'npm run containers -- engine start',
  'npm run test:faults -- --minutes 5 --brokers 3',
  'npm run test:abuse -- --only months --flood 0',
  'npm test -- --project stack reader -t recreated',
  'npx email-events --version',
  'npx email-events help dlq list',
  'npx email-events tail email.suppressions --from-beginning --max 5',
  'npx node deploy/dev/src/stack/run.ts .email-events/my-stack',
  'npx tsc --noEmit',
  'docker run anything --at-all',
])('%s is as it should be', (line) => {
  expect(commandProblem(line.split(' '))).toBeNull();
});

test.each([
  ['npm run nothing', 'no such script'],
  ['npm start --demo', 'behind --'],
  ['npm start -- --demos', 'unknown option'],
  ['npm run bench -- nothing', 'no such benchmark'],
  ['npm run containers -- engine halt', 'engine halt'],
  ['npm run test:faults -- --hours 5', 'hours'],
  ['npm test -- --project nothing', 'no such project'],
  ['npx email-events nothing', 'unknown command'],
  ['npx email-events dlq nothing', 'unknown command'],
  ['npx email-events help dlq nothing', 'no such command'],
  ['npx email-events tail', 'missing required argument'],
  ['npx email-events tail email.raw --max five', 'a number from 1'],
  ['npx email-events run nothing', 'Allowed choices'],
  ['npx vitst run', 'npx would fetch vitst'],
  ['npx node deploy/dev/src/nothing.ts', 'no such file'],
  ['node deploy/dev/src/stack/run.ts', 'npx node'],
  ['node deploy/nothing.mjs', 'no such file'],
])('%s: %s', (line, problem) => {
  expect(commandProblem(line.split(' '))).toContain(problem);
});
