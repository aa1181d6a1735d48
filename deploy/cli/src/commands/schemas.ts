import { registryOf } from '@email-events/core';
import {
  checkSchemas,
  RegistrationError,
  registerSchemas,
  type SubjectProblem,
  type SubjectResult,
} from '@email-events/schemas';
import { Command } from 'commander';
import pc from 'picocolors';
import { type Action, loadPipelineConfig, onRun } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { print, printJson, renderTable, progress as report } from '../output.ts';
import { jsonText, visible } from '../terminal.ts';

export function schemasCommand(): Command {
  const command = new Command('schemas').description('Check and register the Avro schemas');
  const check = new Command('check').description(
    'Compare the registry with this version of the code; exits 1 if registering would fail',
  );
  const register = new Command('register').description('Register every schema that the registry lacks');
  command.addCommand(onRun(check, checkAction, 'schemas check'));
  command.addCommand(onRun(register, registerAction, 'schemas register', 'schemas register --json'));
  return command;
}

export const checkAction: Action<object> = async (options) => {
  const { plan, problems } = await checkSchemas(registryOf(await loadPipelineConfig(options)));
  return show({ results: plan, problems, json: options.json, registered: false });
};

export const registerAction: Action<object> = async (options) => {
  const settings = registryOf(await loadPipelineConfig(options));
  try {
    const progress = ({ subject, action }: SubjectResult) => report(`${subject} ${action}`);
    const results = await registerSchemas(settings, {}, options.json ? undefined : progress);
    return show({ results, problems: [], json: options.json, registered: true });
  } catch (error) {
    if (!(error instanceof RegistrationError)) throw error;
    const { results, problems } = error;
    return show({ results, problems, json: options.json, registered: false });
  }
};

interface Outcome {
  readonly results: readonly SubjectResult[];
  readonly problems: readonly SubjectProblem[];
  readonly json: boolean;
  readonly registered: boolean;
}

async function show({ results, problems, json, registered }: Outcome): Promise<ExitCode> {
  if (json) printJson({ registered, subjects: results, problems });
  else print(await renderSubjects(results, problems));
  return problems.length > 0 ? EXIT.failed : EXIT.ok;
}

export async function renderSubjects(
  results: readonly SubjectResult[],
  problems: readonly SubjectProblem[],
): Promise<string> {
  const rows = results.map(({ subject, action, versions, schemaId, levelChanged }) => [
    subject,
    action === 'unchanged' ? pc.dim(action) : pc.green(action),
    versions,
    schemaId ?? '',
    levelChanged ? 'level → FULL_TRANSITIVE' : '',
  ]);
  const lines = [await renderTable(['subject', '', 'versions', 'id', ''], rows)];
  for (const { subject, code, message, details } of problems) {
    lines.push(`${pc.red(code)} ${visible(`${subject}: ${message}`)}`);
    for (const detail of details) lines.push(pc.dim(`  ${jsonText(detail)}`));
  }
  return lines.join('\n');
}
