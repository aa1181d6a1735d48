import { applyTopics, planTopics, type TopicAction, type TopicPlan } from '@email-events/core';
import { type TopicSpec, topicCatalogue } from '@email-events/schemas';
import { Command } from 'commander';
import pc from 'picocolors';
import { kafkaTopics } from '../access/strimzi.ts';
import { type Action, type CommonOptions, loadPipelineConfig, onRun } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { counted, print, printJson, renderTable } from '../output.ts';
import { printManifests, type StrimziChoice, strimziOptions, withStrimzi } from '../strimzi-options.ts';

export function topicsCommand(): Command {
  const command = new Command('topics').description('Create and change the Kafka topics');
  const plan = new Command('plan').description('Show what apply would do; changes nothing');
  const apply = new Command('apply').description(
    'Make the cluster match the configuration; changes nothing if there is a problem',
  );
  const print = withStrimzi(
    new Command('print').description(
      'Print the topics as the configuration wants them, or as resources of Strimzi; asks no cluster',
    ),
  );
  const example = 'topics plan --config deploy/config/pipeline.yaml --json';
  command.addCommand(onRun(plan, planAction, 'topics plan', example));
  command.addCommand(onRun(apply, applyAction, 'topics apply'));
  const toStrimzi = 'topics print --strimzi my-cluster | kubectl apply -n kafka -f -';
  command.addCommand(onRun<StrimziChoice>(print, printAction, 'topics print', toStrimzi));
  return command;
}

export const planAction: Action<object> = (options) => run(options, planTopics, 'to do');
export const applyAction: Action<object> = (options) => run(options, applyTopics, 'done');

export const printAction: Action<StrimziChoice> = async (options) => {
  const { topics } = await loadPipelineConfig(options);
  const catalogue = topicCatalogue(topics);
  const strimzi = strimziOptions(options);
  if (strimzi) printManifests(kafkaTopics(catalogue, strimzi), options);
  else if (options.json) printJson(catalogue);
  else print(await renderTable(['topic', 'partitions', 'replicas', 'settings'], catalogue.map(specRow)));
  return EXIT.ok;
};

function specRow({ name, partitions, replicationFactor, config }: TopicSpec): string[] {
  const settings = Object.entries(config).map(([key, value]) => `${key}=${value}`);
  return [name, String(partitions), String(replicationFactor), settings.join(' ')];
}

async function run(
  options: CommonOptions,
  work: typeof planTopics,
  tense: 'to do' | 'done',
): Promise<ExitCode> {
  const { kafka, topics } = await loadPipelineConfig(options);
  const plan = await work(kafka, topicCatalogue(topics));
  const applied = tense === 'done' && plan.problems === 0;
  if (options.json) printJson({ applied, ...plan });
  else print(await renderPlan(plan, tense));
  return plan.problems > 0 ? EXIT.failed : EXIT.ok;
}

export async function renderPlan(plan: TopicPlan, tense: 'to do' | 'done'): Promise<string> {
  const table = await renderTable(['topic', '', ''], plan.actions.map(rowOf));
  return `${table}\n\n${summary(plan, tense)}`;
}

function summary({ changes, problems }: TopicPlan, tense: 'to do' | 'done'): string {
  if (problems > 0)
    return pc.red(
      `${counted(problems, 'problem')}: nothing ${tense === 'done' ? 'was' : 'would be'} changed`,
    );
  if (changes === 0) return pc.green('the cluster is as configured');
  return tense === 'done'
    ? pc.green(`${counted(changes, 'change')} made`)
    : `${counted(changes, 'change')} to make`;
}

function rowOf(action: TopicAction): [string, string, string] {
  const { topic } = action;
  switch (action.kind) {
    case 'create':
      return [
        topic,
        pc.green('create'),
        `${counted(action.partitions, 'partition')}, ${counted(action.replicationFactor, 'replica')}`,
      ];
    case 'add-partitions':
      return [topic, pc.yellow('add partitions'), `${action.from} → ${action.to}`];
    case 'alter-config':
      return [
        topic,
        pc.yellow('change'),
        action.changes.map(({ name, from, to }) => `${name} ${from ?? '?'} → ${to}`).join(', '),
      ];
    case 'unchanged':
      return [topic, pc.dim('unchanged'), ''];
    case 'problem':
      return [topic, pc.red('problem'), action.message];
    default:
      return action satisfies never;
  }
}
