import { type BlockReader, batchesOf, type GroupRun } from '@vivace/block';
import { bytesToHex } from '@vivace/kernel';

/** The spans of a run of row groups by what makes them one span (trace, span id, kind, start), with their ends. */
export type SpanKeys = Map<string, bigint>;

const NEEDS = {
  fields: new Set(['traceIds', 'start', 'end', 'spanIds', 'kind'] as const),
  keys: new Set<string>(),
  eventFields: new Set<never>(),
  eventKeys: new Set<string>(),
};

/** A run, and the range of trace ids that it may have. */
export interface KeyedRun {
  run: GroupRun;
  firstTraceId: string;
  /** The first id after it; undefined for the last run. */
  endTraceId: string | undefined;
}

/** The runs of a block, in the order of their trace ids. */
export async function keyedRuns(reader: BlockReader, signal: AbortSignal): Promise<KeyedRun[]> {
  const index = await reader.index({ signal });
  const idOf = (group: number): string | undefined => {
    const first = index.traceGroups[group]?.firstTraceId;
    return first && bytesToHex(first);
  };
  return batchesOf(index).map((run) => ({ run, firstTraceId: idOf(run.first) ?? '', endTraceId: idOf(run.end) }));
}

export async function readSpanKeys(reader: BlockReader, run: GroupRun, signal: AbortSignal): Promise<SpanKeys> {
  const columns = await reader.readRun(run, { signal });
  await columns.fetch(NEEDS, signal);
  const traceFirst = columns.traceFirst();
  const traceIds = columns.traceIds();
  const spanIds = columns.spanIds();
  const start = columns.start();
  const end = columns.end();
  const kind = columns.kind();
  const keys: SpanKeys = new Map();
  for (let trace = 0; trace < columns.traceCount; trace++) {
    const id = bytesToHex(traceIds.subarray(16 * trace, 16 * trace + 16));
    for (let row = traceFirst[trace] as number; row < (traceFirst[trace + 1] as number); row++) {
      const span = bytesToHex(spanIds.subarray(8 * row, 8 * row + 8));
      const key = `${id} ${span} ${kind[row]} ${timeAt(start, row)}`;
      const own = timeAt(end, row);
      const known = keys.get(key);
      if (known === undefined || known < own) keys.set(key, own);
    }
  }
  return keys;
}

function timeAt(halves: Uint32Array, row: number): bigint {
  return (BigInt(halves[2 * row + 1] as number) << 32n) | BigInt(halves[2 * row] as number);
}
