import { SecondLook } from '@email-events/ingress/quarantine';
import { Command } from 'commander';
import pc from 'picocolors';
import { type Action, loadPipelineConfig, onRun } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { collectNames } from '../option-values.ts';
import {
  clearProgress,
  counted,
  formatCount,
  formatTime,
  print,
  printJson,
  progress,
  renderTable,
} from '../output.ts';
import {
  type QuarantineGroup,
  type ReleaseReport,
  readQuarantine,
  releaseQuarantine,
} from '../quarantine/quarantine.ts';
import { visible } from '../terminal.ts';

export function quarantineCommand(): Command {
  const command = new Command('quarantine').description(
    'Requests that failed their verification, of sources that keep them',
  );
  const list = ofSource(
    new Command('list').description('Show by source and reason what is held, and what was released'),
  );
  onRun<QuarantineOptions>(list, listAction, 'quarantine list', 'quarantine list --source shop --json');
  const release = ofSource(
    new Command('release').description(
      'Verify what is held again, with the secrets of the configuration now and the time at which it came, and process what is genuine, once',
    ),
  ).option('--dry-run', 'verify, and say what would be released', false);
  release.addHelpText(
    'after',
    '\nWhat is still not genuine stays held until it expires. Exits 1 if nothing of what is held is genuine.',
  );
  onRun<ReleaseActionOptions>(
    release,
    releaseAction,
    'quarantine release --source shop --dry-run',
    'quarantine release --source shop',
  );
  command.addCommand(list);
  command.addCommand(release);
  return command;
}

const ofSource = (command: Command) =>
  command.option('--source <name>', 'only of these webhooks: with commas, or repeated', collectNames);

export interface QuarantineOptions {
  readonly source?: readonly string[];
}

export interface ReleaseActionOptions extends QuarantineOptions {
  readonly dryRun: boolean;
}

export const listAction: Action<QuarantineOptions> = async (options) => {
  const config = await loadPipelineConfig(options);
  const groups = await readQuarantine(config, { sources: options.source });
  if (options.json) printJson(groups);
  else print(await renderGroups(groups));
  return EXIT.ok;
};

export const releaseAction: Action<ReleaseActionOptions> = async (options) => {
  const { source: sources, dryRun, json } = options;
  const config = await loadPipelineConfig(options);
  const look = new SecondLook(config);
  try {
    const report = await releaseQuarantine(config, {
      ...{ sources, dryRun, look, now: Date.now() },
      onProgress: (looked) => progress(`${counted(looked, 'request')} verified again`),
    });
    clearProgress();
    if (json) printJson(report);
    else print(renderRelease(report, dryRun));
    const held = Object.values(report.refused).reduce((sum, n) => sum + n, report.expired);
    return report.released === 0 && held > 0 ? EXIT.failed : EXIT.ok;
  } finally {
    clearProgress();
    await look.close();
  }
};

export async function renderGroups(groups: readonly QuarantineGroup[]): Promise<string> {
  if (groups.length === 0) return 'nothing is in quarantine';
  return renderTable(
    ['source', 'refused for', 'held', 'bytes', 'oldest', 'newest', 'released'],
    groups.map(({ source, code, held, bytes, oldestAt, newestAt, released }) => [
      ...[source, code, held, bytes],
      ...[oldestAt, newestAt].map((at) => (at === null ? '' : formatTime(at))),
      released,
    ]),
  );
}

export function renderRelease(
  { released, refused, expired, bySource }: ReleaseReport,
  dryRun: boolean,
): string {
  const of = Object.entries(bySource).map(([source, n]) => `${source} ${formatCount(n)}`);
  const sources = of.length > 0 ? ` (${of.join(', ')})` : '';
  const would = dryRun ? 'would be released' : released === 1 ? 'was released' : 'were released';
  return [
    visible(`${counted(released, 'request')} ${would}${sources}`),
    ...Object.entries(refused).map(([code, n]) =>
      pc.yellow(visible(`${counted(n, 'request')} still refused: ${code}`)),
    ),
    ...(expired > 0 ? [pc.yellow(`${counted(expired, 'request')} too old, beyond the dedupe window`)] : []),
  ].join('\n');
}
