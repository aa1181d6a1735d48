import {
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { CommonConfig } from '../config/index.ts';
import { withDeadline } from '../lifecycle.ts';
import { type Logger, VERSION } from '../telemetry.ts';
import { type Attributes, MOST_TRACES, NO_TRACES, type Spans, type Traces } from './traces.ts';

/** A collector that is away must not hold up a stop. */
const CLOSE_MS = 3_000;
const EXPORT_MS = 5_000;
const LOG_EVERY_MS = 60_000;

/**
 * Traces as configured, sent by OTLP over HTTP in the background; none without the section `tracing`, and nothing of OpenTelemetry's SDK is
 * loaded then. A collector that is away costs the spans, and nothing else.
 */
export async function startTraces(
  settings: CommonConfig['tracing'],
  service: string,
  log: Logger,
  random: () => number = Math.random,
): Promise<Traces> {
  if (!settings) return NO_TRACES;
  const [{ BatchSpanProcessor, TracerProvider }, { OTLPTraceExporter }, { resourceFromAttributes }] =
    await Promise.all([
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ]);
  const { url, sample, flushMs } = settings;
  const exporter = loggingFailures(new OTLPTraceExporter({ url, timeoutMillis: EXPORT_MS }), log);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': `email-events-${service}`,
      'service.version': VERSION,
    }),
    spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis: flushMs })],
    spanLimits: { linkCountLimit: MOST_TRACES },
  });
  const tracer = provider.getTracer('email-events', VERSION);
  return {
    begin: (name, startedAt) =>
      random() < sample ? new OpenSpans([['', startSpan(tracer, name, { startedAt })]]) : undefined,
    join: (name, contexts, startedAt = Date.now()) => join(tracer, name, contexts, startedAt),
    close: () => withDeadline(provider.shutdown(), CLOSE_MS, 'traces').catch(() => {}),
  };
}

function join(
  tracer: Tracer,
  name: string,
  contexts: readonly string[],
  startedAt: number,
): Spans | undefined {
  const parents = new Map<string, SpanContext>();
  for (const text of contexts) {
    const parent = parents.size < MOST_TRACES ? contextOf(text) : undefined;
    if (parent) parents.set(text, parent);
  }
  if (parents.size === 0) return undefined;
  const all = [...parents];
  return new OpenSpans(
    all.map(([text, parent]) => {
      const links = all.filter(([other]) => other !== text).map(([, context]) => ({ context }));
      return [text, startSpan(tracer, name, { startedAt, parent, links })];
    }),
  );
}

interface Start {
  readonly startedAt: number;
  readonly parent?: SpanContext;
  readonly links?: Link[];
}

function startSpan(tracer: Tracer, name: string, { startedAt, parent, links = [] }: Start): Span {
  const within: Context = parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
  const kind = parent ? SpanKind.CONSUMER : SpanKind.SERVER;
  return tracer.startSpan(name, { startTime: startedAt, kind, links, root: !parent }, within);
}

class OpenSpans implements Spans {
  /** By the context that they came with; empty: of a trace that begins. */
  readonly #spans: readonly (readonly [string, Span])[];

  constructor(spans: readonly (readonly [string, Span])[]) {
    this.#spans = spans;
  }

  handOn(context = ''): string | undefined {
    const span = this.#spans.find(([text]) => text === context)?.[1];
    return span && textOf(span.spanContext());
  }

  end(attributes: Attributes, code?: string): void {
    for (const [, span] of this.#spans) {
      span.setAttributes(attributes);
      if (code !== undefined) {
        span.setAttribute('error.type', code);
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end();
    }
  }
}

/** W3C Trace Context, version 00. */
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-01$/;

const textOf = ({ traceId, spanId }: SpanContext) => `00-${traceId}-${spanId}-01`;

/** Undefined if it is none, or says that it is not sampled. */
function contextOf(text: string): SpanContext | undefined {
  const [, traceId, spanId] = TRACEPARENT.exec(text) ?? [];
  return traceId && spanId ? { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true } : undefined;
}

/** Says so, one line a minute at most: with a collector that is away every export fails. */
function loggingFailures(exporter: SpanExporter, log: Logger): SpanExporter {
  let before = Number.NEGATIVE_INFINITY;
  const failed = () => {
    if (performance.now() - before < LOG_EVERY_MS) return;
    before = performance.now();
    log.warn({ code: 'TRACES_NOT_SENT' }, 'spans could not be sent to the collector and are lost');
  };
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.error) failed();
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
  };
}
