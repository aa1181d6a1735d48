import { hash } from 'node:crypto';
import type { Alert } from '@email-events/schemas';
import type { Finding } from './rules.ts';
import { summaryOf } from './summary.ts';

interface Firing {
  readonly alert: Alert;
  /** Since when there has been no finding. */
  calmSince: number | undefined;
  calmMs: number;
}

/** Of one that was read back, until there is a finding again. */
const CALM_MS = 15 * 60_000;

/**
 * Which alerts fire: each fires once and resolves once. Pure but for its memory, which `restore` brings back: what it told last of each
 * key says what fires.
 */
export class AlertBook {
  private readonly firing = new Map<string, Firing>();

  /** The newest record of a key. */
  restore(key: string, alert: Alert | null): void {
    const calmMs = alert?.rule === 'silence' ? 0 : CALM_MS;
    if (alert?.status === 'firing') this.firing.set(key, { alert, calmSince: undefined, calmMs });
    else this.firing.delete(key);
  }

  get active(): readonly Alert[] {
    return [...this.firing.values()].map(({ alert }) => alert);
  }

  /**
   * What begins and what ends at a moment, by key. Nothing is remembered before `take`, so that it can be forgotten if it cannot be told.
   * `judged`: whether a rule was judged at all; of one that was not, everything stays as it is.
   */
  step(
    findings: readonly Finding[],
    at: number,
    judged: (rule: Alert['rule']) => boolean,
  ): Map<string, Alert> {
    const found = new Map(findings.map((finding) => [finding.key, finding]));
    const told = new Map<string, Alert>();
    const holds = (key: string) => this.firing.has(key) || found.get(key)?.over === true;
    for (const finding of findings) {
      if (finding.over && !this.firing.has(finding.key) && !finding.coveredBy.some(holds))
        told.set(finding.key, begun(finding, at));
    }
    for (const [key, firing] of this.firing) {
      if (!judged(firing.alert.rule)) continue;
      const finding = found.get(key);
      firing.calmMs = finding?.calmMs ?? firing.calmMs;
      firing.calmSince = finding ? undefined : (firing.calmSince ?? at);
      if (firing.calmSince !== undefined && at - firing.calmSince >= firing.calmMs)
        told.set(key, ended(firing.alert, at));
    }
    return told;
  }

  /** What `step` said has been told. */
  take(told: ReadonlyMap<string, Alert>, findings: readonly Finding[]): void {
    for (const [key, alert] of told) {
      this.restore(key, alert);
      const firing = this.firing.get(key);
      const calmMs = findings.find((finding) => finding.key === key)?.calmMs;
      if (firing && calmMs !== undefined) firing.calmMs = calmMs;
    }
  }
}

function begun(finding: Finding, at: number): Alert {
  const { key, scope, over: _over, coveredBy: _coveredBy, calmMs: _calmMs, ...facts } = finding;
  const alert = {
    ...{ alert_id: hash('sha256', `${key}\n${at}`, 'hex').slice(0, 32), status: 'firing' as const },
    ...{ ...scope, ...facts, started_at: at, resolved_at: null },
  };
  return { ...alert, summary: summaryOf(alert) };
}

function ended(alert: Alert, at: number): Alert {
  const over = { ...alert, status: 'resolved' as const, resolved_at: at };
  return { ...over, summary: summaryOf(over) };
}
