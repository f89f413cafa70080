import { type FileHandle, open } from 'node:fs/promises';
import { canonicalSpans } from './canonical.ts';
import { createDataset } from './dataset.ts';
import type { DatasetOptions } from './dataset-options.ts';
import type { Truth } from './truth.ts';

/** Where a request's bytes lie in the file. */
export interface StoredRequest {
  offset: number;
  length: number;
  spans: number;
  tenant: number;
  resend: boolean;
}

/**
 * A dataset on disk: made before the measurement, so that its making takes no processor from the server, and
 * read request by request, so that a dataset larger than memory can be sent.
 */
export interface StoredDataset {
  truth: Truth;
  /** Requests of each phase; between phases everything is cut. */
  phases: StoredRequest[][];
  read(request: StoredRequest): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Generates a dataset into a new file. `onProgress` gets the spans made so far. */
export async function storeDataset(
  options: DatasetOptions,
  file: string,
  signal: AbortSignal,
  onProgress: (spans: number) => void = () => {},
): Promise<StoredDataset> {
  const handle = await open(file, 'wx+');
  try {
    const { truth, requests } = createDataset(options);
    const phases: StoredRequest[][] = [[], []];
    const offsets = new WeakMap<Uint8Array, number>();
    let end = 0;
    for (const { bytes, spans, tenant, phase, resend } of requests) {
      signal.throwIfAborted();
      let offset = offsets.get(bytes);
      if (offset === undefined) {
        offset = end;
        offsets.set(bytes, offset);
        end += bytes.length;
        await handle.write(bytes, 0, bytes.length, offset);
        onProgress(truth.spans);
      }
      (phases[phase] as StoredRequest[]).push({ offset, length: bytes.length, spans, tenant, resend });
    }
    return {
      truth,
      phases: phases.filter((phase) => phase.length > 0),
      read: (request) => readAt(handle, request),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** A span's canonical text, found by reading the dataset from its beginning. */
export async function sentText(dataset: StoredDataset, traceId: string, spanId: string): Promise<string | undefined> {
  for (const request of dataset.phases.flat()) {
    for (const span of canonicalSpans(await dataset.read(request))) {
      if (span.traceId === traceId && span.spanId === spanId) return span.text;
    }
  }
  return undefined;
}

async function readAt(handle: FileHandle, { offset, length }: StoredRequest): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  const { bytesRead } = await handle.read(bytes, 0, length, offset);
  if (bytesRead !== length) throw new Error(`the dataset file ends early, at byte ${offset + bytesRead}`);
  return bytes;
}
