import { type BlockReader, batchesOf, Hash64, hashKey, type ValueSummary } from '@vivace/block';
import { type AttributeType, type ColumnSetView, type EncodedSpans, encodeSpans } from '@vivace/columns';
import { utf8Encode } from '@vivace/kernel';
import type { Batch } from './batch.ts';
import { blockBatch } from './block-batch.ts';
import { headBatch } from './head-batch.ts';

/** Something that holds spans: a head or a block. Traces may go on in others. */
export interface Source {
  readonly id: string;
  /** The same id always has the same spans: true of blocks. */
  readonly immutable: boolean;
  batches(signal: AbortSignal): Promise<Batch[]>;
  /** Eight bytes of the id of every trace of a batch: the first, or where they are zero the last. */
  traceKeys(batch: number, signal: AbortSignal): Promise<Uint8Array>;
  /** False: no attribute of any scope certainly has one of these values. */
  mayHold(key: string, values: readonly TypedBytes[], signal: AbortSignal): Promise<boolean>;
  /** What is known of all values without reading them; undefined: nothing. */
  summary(signal: AbortSignal): Promise<ValueSummary | undefined>;
  /** Whether it may have spans of a trace (16 bytes). */
  listsTrace(traceId: Uint8Array, signal: AbortSignal): Promise<boolean>;
  /** The spans of a trace (16 bytes) whole, to decide between versions of one. */
  encodeTrace(traceId: Uint8Array, signal: AbortSignal): Promise<EncodedSpans | undefined>;
}

/** A value as a dictionary entry of a column. */
export interface TypedBytes {
  type: AttributeType;
  bytes: Uint8Array;
}

/**
 * Opened batches of blocks by reader and run stay with whoever gives them; see `Batch` for what they keep. With
 * `maxBatches` it has only the first of them.
 */
export function blockSource(reader: BlockReader, { maxBatches }: { maxBatches?: number | undefined } = {}): Source {
  let opened: Batch[] | undefined;
  let read: ValueSummary | undefined;
  const summary = async (signal: AbortSignal): Promise<ValueSummary> => (read ??= await reader.readSummary({ signal }));
  const open = async (signal: AbortSignal): Promise<Batch[]> => {
    const index = await reader.index({ signal });
    return Promise.all(
      batchesOf(index)
        .slice(0, maxBatches)
        .map((run) => blockBatch(reader, run, signal)),
    );
  };
  return {
    id: reader.id,
    immutable: true,
    batches: async (signal) => (opened ??= await open(signal)),
    traceKeys: async (batch, signal) => {
      const run = batchesOf(await reader.index({ signal }))[batch];
      return (await reader.readTraceList(run?.first ?? 0, { signal })).ids;
    },
    mayHold: async (key, values, signal) => {
      // Texts of bytes that are not UTF-8 are compared with U+FFFD in them; elements of arrays are not in the filter.
      if (key.includes('\uFFFD') || values.length === 0) return true;
      const { ofKey, ofValues } = hashesOf(key, values);
      for (const { low, high } of ofValues) if (await reader.mayHold(low, high, { signal })) return true;
      const { unfilteredKeys } = reader;
      if (unfilteredKeys !== undefined) return unfilteredKeys.includes(ofKey);
      return hasOtherValues(await summary(signal), key);
    },
    summary,
    listsTrace: (traceId, signal) => reader.listsTrace(traceId, { signal }),
    encodeTrace: async (traceId, signal) => {
      const view = await reader.readTrace(traceId, { signal });
      return view && encodeSpans(view, rowsUpTo(view.spanCount));
    },
  };
}

interface ValueHashes {
  key: string;
  ofKey: number;
  ofValues: { low: number; high: number }[];
}

/** Ten thousand blocks are asked for the same values. */
const known = new WeakMap<readonly TypedBytes[], ValueHashes>();

function hashesOf(key: string, values: readonly TypedBytes[]): ValueHashes {
  const before = known.get(values);
  if (before?.key === key) return before;
  const ofValues = values.map(({ type, bytes }) => {
    const hash = new Hash64();
    hash.key(utf8Encode(key), type);
    hash.value(hash.low, hash.high, type, bytes, 0, bytes.length);
    return { low: hash.low, high: hash.high };
  });
  const hashes = { key, ofKey: hashKey(key), ofValues };
  known.set(values, hashes);
  return hashes;
}

/** Whether a key may have values that filters do not know. */
function hasOtherValues({ attributes, truncated }: ValueSummary, key: string): boolean {
  return truncated || attributes.some((one) => one.type === 'other' && one.key === key);
}

/** `id` and `traceFirst` as for `headBatch`. */
export function headSource(id: string, view: ColumnSetView, traceFirst?: Int32Array): Source {
  const batch = headBatch(id, view, traceFirst);
  return {
    id,
    immutable: false,
    batches: async () => [batch],
    traceKeys: async () => {
      const keys = new Uint8Array(8 * view.traceCount);
      for (let trace = 0; trace < view.traceCount; trace++) {
        const id = view.traceIds.subarray(16 * trace, 16 * trace + 16);
        keys.set(id.subarray(0, 8).every((byte) => byte === 0) ? id.subarray(8) : id.subarray(0, 8), 8 * trace);
      }
      return keys;
    },
    mayHold: async () => true,
    summary: async () => undefined,
    listsTrace: async (traceId) => traceNumber(view, traceId) >= 0,
    encodeTrace: async (traceId) => {
      const trace = traceNumber(view, traceId);
      return trace < 0
        ? undefined
        : encodeSpans(
            view,
            rowsUpTo(view.spanCount).filter((row) => view.trace[row] === trace),
          );
    },
  };
}

function traceNumber({ traceIds, traceCount }: ColumnSetView, traceId: Uint8Array): number {
  for (let trace = 0; trace < traceCount; trace++) {
    let i = 0;
    while (i < 16 && traceIds[16 * trace + i] === traceId[i]) i++;
    if (i === 16) return trace;
  }
  return -1;
}

function rowsUpTo(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, row) => row);
}
