import { expect, test } from 'vitest';
import { keepsRunning, sessionOf } from './sessions.ts';

test.each([
  ['npx email-events inspect a.json\ncat > b.json', 'alone'],
  ['export A=1\nnpx email-events run receiver --port 1', 'alone'],
  ['npx email-events topics apply --config deploy/config/pipeline.yaml', 'components'],
  ['npx email-events run ingress --config deploy/config/pipeline.yaml', 'components'],
  ['npx email-events config check --config deploy/config/pipeline.yaml', 'alone'],
  ['npm start', 'pipeline'],
  ['npx email-events status', 'pipeline'],
  ['npx email-events inspect a.json\nnpx email-events tail email.raw', 'pipeline'],
  ['npm test', null],
  ['npm start -- --demo', null],
  ['docker run x', null],
  ['npx email-events status\nkcat -b x', null],
])('%j is for: %s', (body, session) => {
  expect(sessionOf(body)).toBe(session);
});

test('services and npm start keep running', () => {
  const words = (line: string) => line.split(' ');
  expect(keepsRunning(words('npm start'))).toBe(true);
  expect(keepsRunning(words('npx email-events run events'))).toBe(true);
  expect(keepsRunning(words('npx email-events run events --check-config'))).toBe(false);
  expect(keepsRunning(words('npx email-events status'))).toBe(false);
});
