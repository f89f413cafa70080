import { VivaceError } from '@vivace/kernel';
import type { SpansetAnswer, TraceMatch } from './answer.ts';

/** What the traces of one page may take in memory, about. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const TRACE_BYTES = 400;
const SERVICE_BYTES = 100;
const SPAN_BYTES = 150;
const ATTRIBUTE_BYTES = 100;

/** Bounds what a search holds of its answer: a page that would be too large ends early, and the rest is on the next. */
export class AnswerBudget {
  readonly #maxBytes: number;
  #used = 0;

  constructor(maxBytes = MAX_ANSWER_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** Before the spans of a trace are written down. Throws `limited` where they alone are too much for any page. */
  check(spans: number, fields: number): void {
    if (spans * (SPAN_BYTES + fields * ATTRIBUTE_BYTES) <= this.#maxBytes) return;
    throw new VivaceError(
      'limited',
      'search-memory',
      'a trace has too many spans that match for one answer\nask for less of them with spss, or filter for fewer spans',
    );
  }

  /** False: there is no room for the trace on this page. The first always has room. */
  take(match: TraceMatch): boolean {
    const first = this.#used === 0;
    this.#used += bytesOf(match);
    return first || this.#used <= this.#maxBytes;
  }
}

function bytesOf({ services, spansets }: TraceMatch): number {
  return spansets.reduce((sum, set) => sum + spansetBytes(set), TRACE_BYTES + services.size * SERVICE_BYTES);
}

function spansetBytes({ spans, attributes }: SpansetAnswer): number {
  let bytes = attributes.length * ATTRIBUTE_BYTES;
  for (const span of spans) {
    bytes += SPAN_BYTES;
    for (const { value } of span.attributes) {
      bytes += ATTRIBUTE_BYTES + (value.type === 'string' ? 2 * value.value.length : 0);
    }
  }
  return bytes;
}
