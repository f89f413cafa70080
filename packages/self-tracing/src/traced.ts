import type {
  FindTraceOptions,
  MetricsOptions,
  MetricsPart,
  QueryEngine,
  SearchOptions,
  SearchPart,
  TagsAnswer,
  TagsOptions,
  TagValuesAnswer,
  TagValuesOptions,
  TraceAnswer,
  TraceFinder,
} from '@vivace/api';
import type { TraceSink } from '@vivace/otlp';
import { areOwnSpans } from './own-spans.ts';
import type { Tracer } from './tracer.ts';

/** What is told of an answer, and of the part of one. */
type Answered = Pick<SearchPart, 'problems' | 'stats'>;

const TENANT = 'vivace.tenant';

/** The same sink with a sample of its pushes traced, but for those of our own spans: they would never end. */
export function tracedSink(sink: TraceSink, tracer: Tracer): TraceSink {
  return {
    async push(tenant, request, signal) {
      const { bytes } = request;
      const tracing = areOwnSpans(bytes) ? undefined : tracer.begin('push', { [TENANT]: tenant });
      if (tracing === undefined) return sink.push(tenant, request, signal);
      // Its buffer is another's when the push is over.
      const length = bytes.length;
      try {
        const result = await sink.push(tenant, request, signal);
        const { acceptedSpans, rejectedSpans } = result;
        tracing.end({ 'vivace.bytes': length, 'vivace.spans': acceptedSpans, 'vivace.rejected_spans': rejectedSpans });
        return result;
      } catch (error) {
        tracing.end({ 'vivace.bytes': length }, error);
        throw error;
      }
    },
  };
}

/** The same finder with a sample of its lookups traced. */
export function tracedFinder(finder: TraceFinder, tracer: Tracer): TraceFinder {
  return {
    async findTrace(tenant: string, traceId: Uint8Array, options: FindTraceOptions): Promise<TraceAnswer> {
      const tracing = tracer.begin('find trace', { [TENANT]: tenant });
      try {
        const answer = await finder.findTrace(tenant, traceId, options);
        tracing?.end({
          'vivace.found_bytes': answer.trace.length,
          'vivace.inspected_bytes': answer.inspectedBytes,
          'vivace.complete': answer.complete,
        });
        return answer;
      } catch (error) {
        tracing?.end({}, error);
        throw error;
      }
    },
  };
}

/** The same engine with a sample of its queries traced. */
export function tracedEngine(engine: QueryEngine, tracer: Tracer): QueryEngine {
  return {
    search: (tenant: string, options: SearchOptions): AsyncIterable<SearchPart> =>
      stream('search', tenant, tracer, () => engine.search(tenant, options)),
    metrics: (tenant: string, options: MetricsOptions): AsyncIterable<MetricsPart> =>
      stream('metrics', tenant, tracer, () => engine.metrics(tenant, options)),
    tags: (tenant: string, options: TagsOptions): Promise<TagsAnswer> =>
      one('tags', tenant, tracer, () => engine.tags(tenant, options)),
    tagValues: (tenant: string, options: TagValuesOptions): Promise<TagValuesAnswer> =>
      one('tag values', tenant, tracer, () => engine.tagValues(tenant, options)),
  };
}

async function one<Answer extends Answered>(
  name: string,
  tenant: string,
  tracer: Tracer,
  work: () => Promise<Answer>,
): Promise<Answer> {
  const tracing = tracer.begin(name, { [TENANT]: tenant });
  try {
    const answer = await work();
    tracing?.end(told(answer));
    return answer;
  } catch (error) {
    tracing?.end({}, error);
    throw error;
  }
}

async function* stream<Part extends Answered>(
  name: string,
  tenant: string,
  tracer: Tracer,
  work: () => AsyncIterable<Part>,
): AsyncIterable<Part> {
  const tracing = tracer.begin(name, { [TENANT]: tenant });
  let last: Part | undefined;
  try {
    for await (const part of work()) {
      last = part;
      yield part;
    }
  } catch (error) {
    tracing?.end(told(last), error);
    throw error;
  } finally {
    // Also for a client that leaves before the end; the first end counts.
    tracing?.end(told(last));
  }
}

function told(answer: Answered | undefined) {
  return {
    'vivace.inspected_bytes': answer?.stats.inspectedBytes ?? 0,
    'vivace.inspected_spans': answer?.stats.inspectedSpans ?? 0,
    'vivace.blocks': answer?.stats.totalBlocks ?? 0,
    'vivace.complete': (answer?.problems.length ?? 0) === 0,
  };
}
