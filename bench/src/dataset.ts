import { fraction, seededRandom } from '@vivace/kernel';
import { Batcher, type ExportRequest } from './batcher.ts';
import { type DatasetOptions, originNs } from './dataset-options.ts';
import { createShop } from './shop.ts';
import { SpanFacts } from './span-facts.ts';
import { TraceWriter } from './traces.ts';
import { createTruth, type Truth } from './truth.ts';

/** About as many traces of a dataset are kept span by span. */
const SAMPLED_TRACES = 1000;
const SPANS_PER_TRACE = 13;

/** A request, and whether its bytes were sent before. */
export interface DatasetRequest extends ExportRequest {
  resend: boolean;
}

export interface Dataset {
  /** Grows while `requests` is drained, and is whole at its end. */
  truth: Truth;
  /** In the order of sending within each phase; both phases are mixed, and each carries its number. */
  requests: Generator<DatasetRequest>;
}

/** A dataset, generated as it is drained: the same options give the same bytes. */
export function createDataset(options: DatasetOptions): Dataset {
  const truth = createTruth();
  return { truth, requests: generate(options, truth) };
}

function* generate(options: DatasetOptions, truth: Truth): Generator<DatasetRequest> {
  const random = seededRandom(options.seed);
  const shop = createShop(random, options.clockSkewMs);
  if (options.facts) {
    truth.facts = new SpanFacts(
      originNs(options),
      shop.services.map(({ name }) => name),
    );
  }
  const batcher = new Batcher(shop, options.requestSpans);
  const traces = new TraceWriter(shop, options, random, batcher, truth);
  // Resends draw from numbers of their own, so that they leave the spans as they are.
  const resends = createResends(options, truth);
  const sampleEvery = Math.max(1, Math.floor(options.spans / SPANS_PER_TRACE / SAMPLED_TRACES));
  const durationNs = options.durationMs * 1e6;
  for (let trace = 0; truth.spans < options.spans; trace++) {
    const startNs = Math.floor((truth.spans / options.spans) * durationNs) + (random.u32() % 1_000_000);
    traces.write(startNs, trace % sampleEvery === 0);
    for (const request of batcher.take()) yield* resends(request);
  }
  if (options.giantTraceSpans > 0) {
    for (const _ of traces.writeGiant(Math.floor(durationNs / 2), options.giantTraceSpans)) {
      for (const request of batcher.take()) yield* resends(request);
    }
  }
  batcher.finish();
  for (const request of batcher.take()) yield* resends(request);
  yield* resends(undefined);
}

/** Lets some requests through a second time, a few requests later; `undefined` ends and returns the rest. */
function createResends(options: DatasetOptions, truth: Truth) {
  const random = seededRandom(options.seed ^ 0x5e5e5e5e);
  const waiting: { request: ExportRequest; after: number }[] = [];
  return function* (request: ExportRequest | undefined): Generator<DatasetRequest> {
    if (request !== undefined) {
      truth.bytes += request.bytes.length;
      yield { ...request, resend: false };
      if (fraction(random) * 100 < options.resends) waiting.push({ request, after: 1 + (random.u32() % 30) });
    }
    for (let at = 0; at < waiting.length; ) {
      const entry = waiting[at] as (typeof waiting)[number];
      if (request !== undefined && --entry.after > 0) {
        at++;
        continue;
      }
      waiting.splice(at, 1);
      yield { ...entry.request, resend: true };
    }
  };
}
