import { call } from './http.ts';
import { parsePrometheus, type Sample, sumOf } from './prometheus.ts';

/** The histogram of object-store requests, and the operations that read. */
const REQUESTS = 'vivace_object_store_request_duration_seconds_count';
const READS = new Set(['get', 'get-range', 'head', 'list']);

/** Reads from the object store since the server started, or undefined where it does not say. */
export async function objectReads(api: URL, signal: AbortSignal): Promise<number | undefined> {
  const answer = await call(new URL('/metrics', api), { signal });
  return answer.status === 200 ? readsIn(parsePrometheus(Buffer.from(answer.body).toString('utf8'))) : undefined;
}

/** A series appears with its first request: a page of another server has none of `vivace_…` at all. */
function readsIn(samples: readonly Sample[]): number | undefined {
  if (!samples.some(({ name }) => name.startsWith('vivace_'))) return undefined;
  return sumOf(samples, REQUESTS, (labels) => READS.has(labels.get('operation') ?? ''));
}
