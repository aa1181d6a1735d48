import { Command } from 'commander';
import { act, examples } from '../command.ts';

export function topicsCommand(): Command {
  const command = new Command('topics').description('Create and change the Kafka topics');
  command.addCommand(
    examples(
      act(
        new Command('plan').description('Show what apply would do; changes nothing'),
        async () => (await import('./topics-action.ts')).planAction,
      ),
      'topics plan',
      'topics plan --config deploy/config/pipeline.yaml --json',
    ),
  );
  command.addCommand(
    examples(
      act(
        new Command('apply').description(
          'Make the cluster match the configuration; changes nothing if there is a problem',
        ),
        async () => (await import('./topics-action.ts')).applyAction,
      ),
      'topics apply',
    ),
  );
  return command;
}
