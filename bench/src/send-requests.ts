import type { StoredDataset } from './dataset-file.ts';
import { type LoadResult, load } from './load.ts';
import type { RunContext } from './run-context.ts';

/** Clients try a request again for so long. */
const RETRY_FOR_MS = 300_000;

/** Sends requests of the dataset as the options say, with a progress bar. */
export async function sendRequests(
  { options, dataset, clock, random, signal, progress }: RunContext,
  label: string,
  url: URL,
  requests: StoredDataset['phases'][number],
): Promise<LoadResult> {
  progress.begin(
    label,
    requests.reduce((sum, { spans }) => sum + spans, 0),
  );
  try {
    return await load(
      { requests, read: (request) => dataset.read(request) },
      {
        url,
        connections: options.connections,
        rate: options.rate,
        encoding: options.encoding,
        tenants: options.dataset.tenants > 1,
        retryForMs: RETRY_FOR_MS,
        clock,
        random,
        signal,
        onProgress: (spans) => progress.add(spans),
      },
    );
  } finally {
    progress.end();
  }
}
