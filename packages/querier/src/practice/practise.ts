import type { Question } from '@vivace/block-query';
import { parse, parseField, parseLenient } from '@vivace/traceql';
import { answerJob } from '../answer-job.ts';
import { findTrace } from '../find-trace.ts';
import { packAnswer } from '../packed-answer.ts';
import { inventBlocks } from './invented-block.ts';
import { inventedStart, inventedTraceId } from './invented-spans.ts';

/** Traces of each of two blocks; a few are in both. */
const TRACES = 700;
const SHARED = 20;
const ROUNDS = 4;
const LOOKUPS = 6;
const SEED = 1;

const SEARCHES = [
  '{ span.order.id = "ord-77" }',
  '{ .order.id = "ord-78" }',
  '{ span.order.id = "none" }',
  '{ status = error }',
  '{ resource.service.name = "payment" && status = error }',
  '{ duration > 7ms }',
  '{ span.db.system = "redis" && duration > 5ms }',
  '{ name =~ "GET /v1/(cart|mail)" }',
  '{ span.url.full =~ ".*id=77.*" }',
  '{ resource.service.name = "gateway" } >> { status = error }',
  '{ span.http.route =~ "/v1/ca.*" } > { span.db.system = "redis" }',
  '{ resource.service.name = "orders" } | count() > 1',
  '{ span.db.system = "postgresql" } | avg(duration) > 1ms',
  '{ } | by(resource.service.name) | count() > 1',
  '{ status = error } && { span.db.system = "redis" } | select(span.http.route, resource.k8s.pod.name)',
];
const METRICS = [
  '{ } | rate() by (resource.service.name)',
  '{ status = error } | rate() by (resource.service.name, name)',
  '{ kind = server } | quantile_over_time(duration, .5, .95) by (span.http.route)',
  '{ } | histogram_over_time(duration)',
];
const TAGS = ['resource.service.name', 'span.http.route'];

/**
 * Answers the common kinds of questions over invented spans, so that the code of a thread is compiled before somebody
 * waits for it: what runs for the first time takes ten times as long as later. Costs the process about a second and a half of CPU in
 * pieces of some milliseconds; `breathe` lets other work in between them.
 */
export async function practiseQueries(breathe: () => Promise<void>, signal: AbortSignal): Promise<void> {
  const { entries, reads } = await inventBlocks([TRACES - SHARED, 0], TRACES, SEED, breathe);
  const asked = practiceQuestions(TRACES, TRACES - SHARED);
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < LOOKUPS; i++) {
      await breathe();
      const id = inventedTraceId(TRACES + round * LOOKUPS + i);
      await findTrace({ tenant: '', id, entries, heads: [], maxBytes: 1 << 20 }, reads);
    }
    for (const question of asked) {
      await breathe();
      signal.throwIfAborted();
      const job = { number: 0, tenant: '', entries, unread: undefined, heads: [], question };
      packAnswer(await answerJob(job, reads, { signal, breathe }));
    }
  }
}

/** Over two blocks of so many traces, the second of which begins with the trace `second`. */
export function practiceQuestions(traces: number, second: number): Question[] {
  const startUnixNano = inventedStart(0);
  const endUnixNano = inventedStart(second + traces + 1);
  const window = { startUnixNano, endUnixNano };
  const page = { limit: 20, spansPerSpanset: 3, after: undefined };
  const stepNanos = 1_000_000_000n;
  const intervals = { startUnixNano, endUnixNano: endUnixNano + stepNanos - (endUnixNano % stepNanos), stepNanos };
  return [
    ...SEARCHES.map((text): Question => ({ kind: 'search', request: { query: parse(text), ...window, ...page } })),
    ...METRICS.map(
      (text): Question => ({
        kind: 'metrics',
        request: { query: parse(text), ...intervals, exemplars: 100, maxSeries: 0 },
      }),
    ),
    { kind: 'search', request: { query: parse('{ status = error }'), ...window, ...page, limit: 1000 } },
    { kind: 'tags', request: { scope: undefined, filter: undefined, limit: 0 } },
    ...TAGS.flatMap((name): Question[] =>
      [undefined, parseLenient('{ resource.service.name = "cart" }')].map((filter) => ({
        kind: 'tagValues',
        request: { field: parseField(name), filter, limit: 0 },
      })),
    ),
  ];
}
