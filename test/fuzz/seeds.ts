import { encodeTraces, type PlainTraces, tracesArbitrary } from '@vivace/otlp/testing';
import fc from 'fast-check';

// oxlint-disable-next-line typescript/no-explicit-any -- generated OTLP is walked by name
type Plain = any;

/** Valid traces of every shape, encoded; most have spans whose ids are sound, of few traces. */
export function encodedTraces(seed: number, count = 150): Uint8Array[] {
  const samples = fc.sample(tracesArbitrary, { seed, numRuns: count });
  return samples.map((traces, number) => encodeTraces(withIds(traces, number)));
}

function withIds(traces: Plain, number: number): PlainTraces {
  let next = number * 100;
  for (const resource of traces.resourceSpans ?? []) {
    for (const scope of resource.scopeSpans ?? []) {
      for (const span of scope.spans ?? []) {
        next++;
        if (next % 11 === 0) continue;
        span.traceId = Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? (next % 3) + 1 : i * (number & 1)));
        span.spanId = Uint8Array.from({ length: 8 }, (_, i) => (i === 0 ? next & 255 : i === 1 ? next >> 8 : 7));
        if (next % 3 === 0) span.parentSpanId = [(next - 1) & 255, (next - 1) >> 8, 7, 7, 7, 7, 7, 7];
      }
    }
  }
  return traces as PlainTraces;
}
