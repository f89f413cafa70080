import { type Clock, type Random, type Service, toVivaceError } from '@vivace/kernel';
import type { Counter, Logger, Metrics } from '@vivace/telemetry';
import { type AttributeValue, encodeOwnSpans, type OwnSpan } from './own-spans.ts';

export interface TracerOptions {
  /** Sends an ExportTraceServiceRequest and tells the status of HTTP; rejects where there is no answer. */
  send: (body: Uint8Array<ArrayBuffer>, signal: AbortSignal) => Promise<number>;
  /** One piece of work of so many is traced, by chance. */
  oneIn: number;
  /** Of the process: `service.name` and what tells it from others. */
  resource: Readonly<Record<string, AttributeValue>>;
  clock: Clock;
  random: Random;
  logger: Logger;
  metrics: Metrics;
}

/** Work that is being traced. */
export interface Tracing {
  /** Ends it; `error` is why it failed. */
  end(attributes: Readonly<Record<string, AttributeValue>>, error?: unknown): void;
}

/** Spans that wait to be sent; more are dropped, and counted. */
const MAX_WAITING = 2048;
const MAX_BATCH = 512;
const INTERVAL_MS = 5_000;
const SEND_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 2_000;
const MAX_ERROR_LENGTH = 500;

/**
 * Spans of a sample of our own work, sent over OTLP from time to time. They are for people who look for what is slow,
 * and never worth holding anything up: what cannot be sent is dropped.
 */
export class Tracer implements Service {
  readonly #options: TracerOptions;
  readonly #counted: Counter<'result'>;
  #waiting: OwnSpan[] = [];
  #sending: Promise<void> = Promise.resolve();
  #isFailing = false;
  #cancel: () => void = () => undefined;

  constructor(options: TracerOptions) {
    this.#options = options;
    this.#counted = options.metrics.counter({
      name: 'vivace_own_spans_total',
      help: 'Spans of our own work, by what became of them: sent, failed on the way, or dropped because too many waited.',
      labels: ['result'],
    });
    for (const result of ['sent', 'failed', 'dropped']) this.#counted.inc({ result }, 0);
  }

  async start(): Promise<void> {
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#cancel();
    this.#flush(STOP_TIMEOUT_MS);
    await this.#sending;
  }

  /** Undefined for work that is not in the sample, which is most. */
  begin(name: string, attributes: Readonly<Record<string, AttributeValue>>): Tracing | undefined {
    const { clock, random, oneIn } = this.#options;
    if (random.u32() % oneIn !== 0) return undefined;
    const startUnixMicros = clock.nowMs() * 1000;
    const startedMs = clock.monotonicMs();
    let isEnded = false;
    return {
      end: (more, error) => {
        if (isEnded) return;
        isEnded = true;
        const micros = Math.max(0, Math.round((clock.monotonicMs() - startedMs) * 1000));
        this.#add({
          traceId: random.bytes(16),
          spanId: random.bytes(8),
          name,
          startUnixMicros,
          endUnixMicros: startUnixMicros + micros,
          attributes: { ...attributes, ...more },
          ...(error !== undefined && { error: toVivaceError(error).message.slice(0, MAX_ERROR_LENGTH) }),
        });
      },
    };
  }

  #add(span: OwnSpan): void {
    if (this.#waiting.length >= MAX_WAITING) this.#counted.inc({ result: 'dropped' });
    else this.#waiting.push(span);
  }

  #schedule(): void {
    this.#cancel = this.#options.clock.after(INTERVAL_MS, () => {
      this.#flush(SEND_TIMEOUT_MS);
      void this.#sending.then(() => this.#schedule());
    });
  }

  #flush(timeoutMs: number): void {
    const spans = this.#waiting;
    this.#waiting = [];
    if (spans.length === 0) return;
    this.#sending = this.#sending.then(() => this.#send(spans, timeoutMs));
  }

  /** Never rejects. */
  async #send(spans: readonly OwnSpan[], timeoutMs: number): Promise<void> {
    const { clock, logger, resource, send } = this.#options;
    const late = new AbortController();
    const cancel = clock.after(timeoutMs, () => late.abort());
    for (let i = 0; i < spans.length; i += MAX_BATCH) {
      const batch = spans.slice(i, i + MAX_BATCH);
      let problem: unknown;
      try {
        const status = await send(encodeOwnSpans(batch, resource), late.signal);
        if (status < 200 || status > 299) problem = `status ${status}`;
      } catch (error) {
        problem = error;
      }
      this.#counted.inc({ result: problem === undefined ? 'sent' : 'failed' }, batch.length);
      if (problem !== undefined && !this.#isFailing) logger.warn({ err: problem }, 'own spans cannot be sent: dropped');
      this.#isFailing = problem !== undefined;
    }
    cancel();
  }
}
