import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { consumerGroups, type PipelineConfig, pipelineConfig } from '@email-events/cli/services';
import { applyTopics, groupLag, readTopic, type SinkRecord } from '@email-events/core';
import type { StackAddresses } from '@email-events/dev/stack';
import {
  Codec,
  type DeadLetter,
  registerSchemas,
  type Suppression,
  topicCatalogue,
  topics,
} from '@email-events/schemas';
import { crms } from '@email-events/sink-crm';
import { produce } from '../contracts/crm/service.ts';
import { seeded } from '../contracts/crm/topic.ts';
import { LaunchedService } from '../harness/service-process.ts';
import type { TestScope } from '../harness/stack.ts';
import { waitFor } from '../harness/wait.ts';
import { violationsIn } from './judge.ts';
import { type Part, partsOf, TOO_MANY_ELSEWHERE } from './parts.ts';
import { PlayedCrms, type PlayedReport } from './played.ts';
import { addressOf, stateLog } from './states.ts';

export interface CampaignOptions {
  /** CRMs that get the states, each in a consumer group of its own. */
  readonly kinds: readonly string[];
  /** States that are recorded. */
  readonly events: number;
  readonly seed: number;
  /** Calls a second that each CRM takes. */
  readonly limit: number;
  /** How long a CRM that is down stays so. Milliseconds. */
  readonly downMs: number;
  /** A stack without the pipeline's topics. */
  readonly stack: StackAddresses;
  readonly groupPrefix: string;
  /** Folder for configuration and logs. */
  readonly home: string;
  readonly note: (line: string) => void;
}

/** What came of one CRM. */
export interface CrmOutcome {
  readonly kind: string;
  readonly recipients: number;
  readonly report: PlayedReport;
  readonly deadLetters: number;
  /** From the last fault until all was dealt with. Milliseconds. */
  readonly drainMs: number;
  readonly violations: readonly string[];
}

const SHARE_OF_STALE = 0.1;
const EVENTS_A_RECIPIENT = 2.5;
const OPTED_OUT = 20;
const REFUSED = 3;
const PATIENCE_MS = 600_000;
/** A call that is not answered so long is given up. */
const TIMEOUT_MS = 1_500;
const STOP_MS = 30_000;
const SESSION_MS = 6_000;

/** States go out to CRMs that fail, through two instances that are killed; then it waits until all is dealt with, and judges. Leaves nothing running. */
export async function runCampaign(options: CampaignOptions): Promise<CrmOutcome[]> {
  const cleaners: (() => Promise<void>)[] = [];
  const scope: TestScope = { onTestFinished: (clean) => void cleaners.push(clean) };
  try {
    const played = await PlayedCrms.start(options);
    scope.onTestFinished(() => played.stop());
    return await new Campaign(options, played, scope).run();
  } finally {
    for (const clean of cleaners.reverse()) await clean();
  }
}

class Campaign {
  private readonly options: CampaignOptions;
  private readonly played: PlayedCrms;
  private readonly scope: TestScope;
  private readonly config: PipelineConfig;
  private readonly log: readonly SinkRecord<Suppression>[];
  private readonly people: readonly string[];
  private readonly codec: Codec;
  private readonly instances: LaunchedService[] = [];

  constructor(options: CampaignOptions, played: PlayedCrms, scope: TestScope) {
    this.options = options;
    this.played = played;
    this.scope = scope;
    this.config = pipelineConfig.parse(this.settings());
    this.codec = new Codec(options.stack.registry);
    const recipients = Math.ceil(options.events / EVENTS_A_RECIPIENT);
    this.people = Array.from({ length: recipients }, (_, i) => addressOf(i));
    const { events: states, seed } = options;
    this.log = stateLog(seeded(seed), { recipients, states, stale: SHARE_OF_STALE });
  }

  async run(): Promise<CrmOutcome[]> {
    await this.prepare();
    for (const index of [0, 1]) await this.launch(index);
    for (const part of partsOf(this.options)) await this.go(part);
    this.everywhere((of) => this.played.order({ do: 'chances', of, chances: [] }));
    const endedAt = performance.now();
    await this.dealtWith(0);
    const drainMs = performance.now() - endedAt;
    const exits = await Promise.all(this.instances.map((each) => each.terminate(STOP_MS)));
    const letters = await this.deadLetters();
    const outcomes = await Promise.all(
      this.options.kinds.map((kind) => this.outcomeOf(kind, letters, drainMs)),
    );
    const ended = exits
      .filter(({ code }) => code !== 0)
      .map(({ code, signal }) => `an instance ended: ${code} ${signal}`);
    return outcomes.map((outcome) => ({ ...outcome, violations: [...outcome.violations, ...ended] }));
  }

  private async prepare(): Promise<void> {
    const { config, options, played, people } = this;
    await writeFile(join(options.home, 'pipeline.yaml'), JSON.stringify(this.settings()));
    await applyTopics(config.kafka, topicCatalogue(config.topics));
    await registerSchemas(options.stack.registry);
    this.everywhere((of) => {
      played.order({ do: 'optOut', of, recipients: people.slice(0, OPTED_OUT) });
      played.order({ do: 'refuse', of, recipients: people.slice(-REFUSED) });
    });
  }

  /** The first CRM is that of the section, the others are beside it. */
  private settings(): object {
    const { kinds, limit, stack, groupPrefix } = this.options;
    const each = kinds.map((kind) => ({
      ...{ kind, callsPerSecond: limit, timeoutMs: TIMEOUT_MS, concurrency: 16 },
      ...this.played.settings[kind],
    }));
    const [own, ...others] = each;
    const named = Object.fromEntries(others.map((one) => [one.kind, one]));
    return {
      kafka: { ...stack.kafka, groupPrefix, sessionTimeoutMs: SESSION_MS },
      registry: stack.registry,
      topics: { partitions: 4 },
      sinks: { crm: { adminPort: 0, ...own, others: named } },
    };
  }

  private async launch(index: number): Promise<void> {
    const { home } = this.options;
    const configFile = join(home, 'pipeline.yaml');
    const logFile = join(home, `sink-crm-${index}.log`);
    const service = new LaunchedService({ service: 'sink-crm', configFile, logFile }, this.scope);
    this.instances[index] = service;
    await service.ready;
  }

  private everywhere(act: (of: string) => void): void {
    for (const kind of this.options.kinds) act(kind);
  }

  /** Its share of the states, and then what happens. */
  private async go(part: Part): Promise<void> {
    const { log, options, played } = this;
    options.note(`  ${part.what}`);
    await produce(this.config, this.codec, log.slice(part.from, part.to));
    this.everywhere((of) => played.order({ do: 'chances', of, chances: part.chances }));
    for (const fault of part.next) this.everywhere((of) => played.order({ do: 'next', of, fault }));
    if (part.throttled) this.everywhere((of) => this.throttle(of));
    const { all } = part;
    if (all) {
      this.everywhere((of) => played.order({ do: 'all', of, fault: all.fault }));
      await delay(all.forMs);
      this.everywhere((of) => played.order({ do: 'all', of, fault: null }));
    }
    for (const index of part.killed) await this.instances[index]?.kill();
    for (const index of part.stopped) await this.instances[index]?.terminate(STOP_MS);
    for (const index of [...part.killed, ...part.stopped]) await this.launch(index);
    await this.dealtWith((part.to - part.from) / 2);
  }

  private throttle(of: string): void {
    this.played.order({ do: 'throttle', of });
    const fault = TOO_MANY_ELSEWHERE[of];
    if (fault) this.played.order({ do: 'next', of, fault });
  }

  /** Waits until no group has more than so many records to deal with. */
  private async dealtWith(most: number): Promise<void> {
    const groups = consumerGroups(this.config).filter(({ service }) => service === 'sink-crm');
    await waitFor(
      `no CRM to have more than ${most} states before it`,
      async () => {
        const lags = await groupLag(this.config.kafka, groups);
        return groups.every(({ group }) => {
          const own = lags.filter((lag) => lag.group === group);
          return own.length > 0 && own.reduce((sum, { lag }) => sum + lag, 0) <= most;
        });
      },
      PATIENCE_MS,
    );
  }

  private async deadLetters(): Promise<DeadLetter[]> {
    const decoder = this.codec.decoder<DeadLetter>('deadLetter');
    const letters: DeadLetter[] = [];
    await readTopic(this.config.kafka, {
      topics: [topics.deadLetters],
      from: 'beginning',
      async onRecord({ value }) {
        if (!value) return;
        await decoder.load([value]);
        letters.push(decoder.decode(value));
      },
    });
    return letters;
  }

  private async outcomeOf(
    kind: string,
    letters: readonly DeadLetter[],
    drainMs: number,
  ): Promise<CrmOutcome> {
    const { kinds } = this.options;
    const facts = crms.find(({ name }) => name === kind)?.facts;
    if (!facts) throw new Error(`no CRM is called ${kind}`);
    const stage = kind === kinds[0] ? 'sink-crm' : `sink-crm-${kind}`;
    const deadLetters = letters
      .filter((letter) => letter.stage === stage)
      .map(({ key, code }) => ({ recipient: key?.toString() ?? '', code }));
    const report = await this.played.report(kind);
    const violations = violationsIn({
      ...{ facts, log: this.log, report, deadLetters },
      optedOut: new Set(report.hasOptOuts ? this.people.slice(0, OPTED_OUT) : []),
      refused: new Set(this.people.slice(-REFUSED)),
    });
    const { length: recipients } = this.people;
    return { kind, recipients, report, deadLetters: deadLetters.length, drainMs, violations };
  }
}
