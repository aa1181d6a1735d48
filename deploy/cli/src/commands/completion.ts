import { Argument, Command } from 'commander';
import { act, examples } from '../command.ts';
import { SHELLS, type Shell } from '../completion/shells.ts';
import { EXIT } from '../exit-codes.ts';

export function completionCommand(program: Command): Command {
  const command = new Command('completion')
    .description(
      'Print what makes a shell complete commands and options, of email-events and of npx email-events',
    )
    .addArgument(new Argument('<shell>', 'which one').choices(SHELLS));
  act(command, async () => {
    const [{ completionScript }, { placesOf }, { print }] = await Promise.all([
      import('../completion/scripts.ts'),
      import('../completion/tree.ts'),
      import('../output.ts'),
    ]);
    return async (_options, [shell]) => {
      print(completionScript(shell as Shell, placesOf(program)));
      return EXIT.ok;
    };
  });
  return examples(
    command,
    'completion bash > ~/.email-events-completion && source ~/.email-events-completion',
    'completion fish | source',
  );
}
