import { isPseudonym, type Pseudonym, pseudonymsOf, readTopic } from '@email-events/core';
import { type OperatorAction, type Suppression, topics } from '@email-events/schemas';
import { Recipients } from '@email-events/sink-lookup/recipients';
import { type ListFile, linesOf } from './lists.ts';
import { type Order, type OrderResult, order, suppress } from './orders.ts';
import { decoderOf, type Suppressions } from './topic.ts';

/** What an import would do. */
export interface ImportPlan {
  /** Lines below the header, bad ones included. */
  readonly lines: number;
  readonly recipients: number;
  /** Lines that name a recipient whom a line before them names. */
  readonly repeated: number;
  /** Recipients who are suppressed so already, for a reason that nothing automatic takes back. */
  readonly already: number;
  /** Of these: erased, and suppressed by the hash that is kept. */
  readonly erased: number;
  /** Recipients who would be suppressed. */
  readonly change: number;
  readonly bad: number;
  /** The first of the bad lines. */
  readonly badLines: readonly { readonly line: number; readonly problem: string }[];
}

const SHOWN_BAD = 20;
const PROGRESS_EVERY = 50_000;
/** States of a recipient while its import is planned and done. */
const [WANTED, ALREADY, ORDERED] = [1, 2, 3];
/** Orders whose outcome is waited for together. */
const CHUNK = 20_000;
/** A later word of the recipient, or a delivery, takes back the others by itself. */
const LASTING: readonly string[] = ['hard_bounce', 'complaint', 'manual'];

/**
 * Suppresses the recipients of a file. The file is read twice and the topic once; what is kept is some 40 bytes a recipient. Imported again it changes
 * nothing: who is suppressed is not ordered again.
 */
export class ListImport {
  private readonly from: Suppressions;
  private readonly list: ListFile;
  private readonly progress: (text: string) => void;
  private readonly recipients = new Recipients();

  constructor(from: Suppressions, list: ListFile, progress: (text: string) => void) {
    this.from = from;
    this.list = list;
    this.progress = progress;
  }

  /** Throws CLI_USAGE, KAFKA_UNREACHABLE … */
  async plan(): Promise<ImportPlan> {
    let [lines, repeated, bad] = [0, 0, 0];
    const keys = pseudonymsOf(this.from.config);
    const ofErased: ReturnType<Recipients['fingerprintOf']>[] = [];
    const erased = await this.erasedWhoAreSuppressed(keys);
    const badLines: { line: number; problem: string }[] = [];
    for await (const line of linesOf(this.list)) {
      if (++lines % PROGRESS_EVERY === 0) this.progress(`${lines} lines read`);
      if ('problem' in line) {
        bad += 1;
        if (badLines.length < SHOWN_BAD) badLines.push(line);
        continue;
      }
      const of = this.recipients.fingerprintOf(line.recipient);
      if (this.recipients.get(of)) repeated += 1;
      else {
        this.recipients.set(of, { revision: 0, reasons: WANTED });
        if (erased.size > 0 && keys.some((by) => erased.has(by(line.recipient)))) ofErased.push(of);
      }
    }
    const known = await this.markSuppressed();
    // Who has a state of her own is known again.
    const hidden = ofErased.filter((of) => this.recipients.get(of)?.reasons === WANTED);
    for (const of of hidden) this.recipients.set(of, { revision: 0, reasons: ALREADY });
    const already = known + hidden.length;
    const recipients = this.recipients.size;
    badLines.sort((a, b) => a.line - b.line);
    return {
      lines,
      recipients,
      repeated,
      already,
      erased: hidden.length,
      change: recipients - already,
      bad,
      badLines,
    };
  }

  /** After `plan`. Orders what it found, and no more than that, whatever has become of the file. */
  async run(
    said: Order,
    options: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<OrderResult> {
    const result: OrderResult = { ordered: 0, changed: 0, unchanged: 0 };
    let chunk: OperatorAction[] = [];
    const give = async () => {
      if (chunk.length === 0 || options.signal.aborted) return;
      // Nobody waits twice for a service that is away.
      const waitMs = result.ordered > result.changed + result.unchanged ? 0 : options.waitMs;
      const done = await order({ ...this.from, ...options, actions: chunk, waitMs, onProgress: () => {} });
      for (const key of ['ordered', 'changed', 'unchanged'] as const) result[key] += done[key];
      chunk = [];
      this.progress(`${result.ordered} recipients ordered`);
    };
    for await (const line of linesOf(this.list)) {
      if ('problem' in line || !this.take(line.recipient)) continue;
      const why = line.said === '' ? said.why : `${said.why} (${line.said})`;
      chunk.push(suppress(line.recipient, line.scope, { ...said, why }));
      if (chunk.length === CHUNK) await give();
      if (options.signal.aborted) break;
    }
    await give();
    return result;
  }

  /** True once for each recipient that is to be suppressed. */
  private take(recipient: string): boolean {
    const of = this.recipients.fingerprintOf(recipient);
    if (this.recipients.get(of)?.reasons !== WANTED) return false;
    this.recipients.set(of, { revision: 0, reasons: ORDERED });
    return true;
  }

  /** Pseudonyms of those who were erased and must not be mailed. */
  private async erasedWhoAreSuppressed(keys: readonly Pseudonym[]): Promise<ReadonlySet<string>> {
    const erased = new Set<string>();
    if (keys.length === 0) return erased;
    const { scope = 'all' } = this.list;
    const decode = decoderOf<Suppression>(this.from.codec, 'suppression');
    await readTopic(this.from.config.kafka, {
      topics: [topics.suppressions],
      from: 'beginning',
      onRecord: async ({ key, value }) => {
        const pseudonym = key?.toString() ?? '';
        if (!isPseudonym(pseudonym)) return;
        const state = value === null ? undefined : await decode(value);
        if (state && isSuppressed(state, scope)) erased.add(pseudonym);
        else erased.delete(pseudonym);
      },
    });
    return erased;
  }

  /** Reads the states of all recipients; returns how many of the file are suppressed already. */
  private async markSuppressed(): Promise<number> {
    const { config, codec } = this.from;
    const { scope = 'all' } = this.list;
    const decode = decoderOf<Suppression>(codec, 'suppression');
    let [records, already] = [0, 0];
    await readTopic(config.kafka, {
      topics: [topics.suppressions],
      from: 'beginning',
      onRecord: async ({ key, value }) => {
        if (++records % PROGRESS_EVERY === 0) this.progress(`${records} states read`);
        const of = this.recipients.fingerprintOf(key?.toString() ?? '');
        const known = this.recipients.get(of);
        if (!known) return;
        const state = value === null ? undefined : await decode(value);
        const reasons = state && isSuppressed(state, scope) ? ALREADY : WANTED;
        if (reasons === known.reasons) return;
        already += reasons === ALREADY ? 1 : -1;
        this.recipients.set(of, { revision: 0, reasons });
      },
    });
    return already;
  }
}

/** For a reason that nothing automatic takes back. */
export const isSuppressed = ({ reasons }: Suppression, wanted: string): boolean =>
  reasons.some(({ reason, scope }) => LASTING.includes(reason) && (scope === 'all' || scope === wanted));
