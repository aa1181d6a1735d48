import { expect, test } from 'vitest';
import { espsWithout, withoutUnknown } from './release-config.ts';

const unknown = (path: string) => ({ path, message: 'unknown key' });

test('a key that a release does not know is left out, wherever it is, and nothing else', () => {
  const tree = {
    kafka: { brokers: ['a'], newKey: 1 },
    ingress: { spool: { dir: 'd', newer: true } },
    fresh: {},
  };
  const fitted = withoutUnknown(tree, [
    unknown('kafka.newKey'),
    unknown('ingress.spool.newer'),
    unknown('fresh'),
  ]);
  expect(fitted.tree).toEqual({ kafka: { brokers: ['a'] }, ingress: { spool: { dir: 'd' } } });
  expect(fitted.leftOut).toEqual(['kafka.newKey', 'ingress.spool.newer', 'fresh']);
  expect(tree.kafka).toHaveProperty('newKey');
});

test('a key in a list of sections is left out of the section that has it', () => {
  const tree = { list: [{ a: 1 }, { a: 1, b: 2 }] };
  expect(withoutUnknown(tree, [unknown('list.1.b')]).tree).toEqual({ list: [{ a: 1 }, { a: 1 }] });
});

test('a source of an ESP that a release does not know is left out whole, and that ESP sends nothing', () => {
  const sources = { old: { esp: 'ses' }, new: { esp: 'newcomer' } };
  const problem = { path: 'sources.new.esp', message: 'no ESP is called newcomer' };
  const { tree, leftOut } = withoutUnknown({ sources }, [problem]);
  expect(tree).toEqual({ sources: { old: { esp: 'ses' } } });
  expect(leftOut).toEqual(['sources.new']);
  expect(espsWithout(sources, leftOut)).toEqual(['newcomer']);
});

test('other problems leave the configuration as it is, and nothing is called left out that was not there', () => {
  const tree = { kafka: { brokers: [] }, sources: { a: { esp: 'ses', secrets: [] } } };
  const problems = [
    { path: 'kafka.brokers', message: 'must not be empty' },
    { path: 'sources.a.secrets', message: 'ses needs a secret' },
    unknown('kafka.absent'),
    unknown('kafka.brokers.length.of'),
  ];
  expect(withoutUnknown(tree, problems)).toEqual({ tree, leftOut: [] });
});
