import { Command } from 'commander';
import { usage } from '../changes.ts';
import { type Action, examples, loadPipelineConfig, onRun } from '../command.ts';
import type { CheckOptions, ReconcileOptions } from '../crm/options.ts';
import { fromZero, positive } from '../option-values.ts';

export function crmCommand(): Command {
  const command = new Command('crm').description('What a CRM holds, compared with the suppressions');
  command.addCommand(reconcileCommand());
  command.addCommand(checkCommand());
  command.addCommand(planCommand());
  return command;
}

function checkCommand(): Command {
  const command = new Command('check')
    .description('Ask each CRM whether it takes the credentials and has what the configuration names')
    .option('--crm <name>', 'one of sinks.crm.others only');
  onRun<CheckOptions>(command, checkAction);
  command.addHelpText('after', '\nWrites nothing. Exits 1 if one of them does not work as it is configured.');
  return examples(command, 'crm check', 'crm check --crm newsletter --json');
}

export const checkAction: Action<CheckOptions> = async (options) => {
  const config = await loadPipelineConfig(options);
  const { checkAll } = await import('../crm/check.ts');
  return checkAll(config, options);
};

function planCommand(): Command {
  const command = new Command('plan')
    .description('Say by which calls a CRM would be brought to the state of recipients, and write nothing')
    .argument('<address...>', 'recipients')
    .option('--crm <name>', 'one of sinks.crm.others (default: the CRM of sinks.crm itself)');
  onRun<CheckOptions>(command, planAction);
  command.addHelpText(
    'after',
    `
The CRM is read as it is now. What would follow from the answer to a call is not known.`,
  );
  return examples(command, 'crm plan ada@example.com', 'crm plan --crm newsletter ada@example.com --json');
}

export const planAction: Action<CheckOptions> = async (options, addresses) => {
  const config = await loadPipelineConfig(options);
  const { planFor } = await import('../crm/check.ts');
  return planFor(config, options, addresses);
};

function reconcileCommand(): Command {
  const command = new Command('reconcile')
    .description(
      'Put back for a CRM the suppressions that it does not list, and bring back the opt-outs that were made there',
    )
    .option('--crm <name>', 'one of sinks.crm.others (default: the CRM of sinks.crm itself)')
    .option('--dry-run', 'say what would change, change nothing', false)
    .option('--yes-change <n>', 'needed for more than 100, or 1 %: just so many as it was said', fromZero)
    .option('--upstream <source>', 'bring opt-outs made in the CRM back by this source of canonical events')
    .option('--ingress <url>', 'where the ingress is (default: that of the pipeline that runs here)')
    .option('--calls-per-second <n>', 'what the sink leaves of the limit (default: 4 % of it)', positive)
    .option('--progress <file>', 'where the listing is kept until all is done (default: in the data folder)')
    .option('--fresh', 'list anew, also if a run that ended early could be gone on with', false)
    .option('--max <n>', 'show the first n of each', fromZero, 20);
  onRun<ReconcileOptions>(command, reconcileAction);
  command.addHelpText(
    'after',
    `
The CRM's own consumer writes what is put back, at its pace; run it again later to see what is left. A run that ends early
is gone on with by the next one. Exits 1 if so many changes need --yes-change, or something is missing that was not put back.

Whom only the CRM suppresses, and the pipeline never knew, opted out there: with --upstream each becomes an event, signed as
that source, and so a suppression that every CRM is told of. Who was suppressed here before is never brought back: the CRM
may have it from us. These are shown and stay.`,
  );
  return examples(
    command,
    'crm reconcile --dry-run',
    'crm reconcile --crm newsletter',
    'crm reconcile --crm newsletter --upstream newsletter-opt-outs --ingress https://events.example.com',
    'crm reconcile --crm newsletter --yes-change 1234 --json',
  );
}

export const reconcileAction: Action<ReconcileOptions> = async (options) => {
  const { dryRun, yesChange, upstream, ingress } = options;
  if (dryRun && yesChange !== undefined) throw usage('either --dry-run or --yes-change');
  if (ingress !== undefined && upstream === undefined) throw usage('--ingress goes with --upstream');
  const config = await loadPipelineConfig(options);
  // Adapters take their time to load: no other command waits for them.
  const { openCrm, reconcile } = await import('../crm/run.ts');
  const { crm, adapter, account } = openCrm(config, options);
  try {
    return await reconcile(config, { consumer: crm.consumer, account }, adapter, options);
  } finally {
    await adapter.close();
  }
};
