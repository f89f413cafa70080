import type { BlockReader } from '@vivace/block';
import { blockSource, matchTraces, type RunOptions, SourceFailure } from '@vivace/block-query';
import { dataError, isKind } from '@vivace/kernel';
import { type BlockEntry, classOfKeep, DEFAULT_CLASS, keepOfClass, UNCLASSIFIED } from '@vivace/manifest';
import type { Retention } from './retention.ts';
import { TraceKeySet } from './trace-key-set.ts';

/** Which traces of a merge go to which class. */
export interface Classes {
  /** A block of each is written, unless it would be empty. */
  names: readonly string[];
  /** The place of a trace's class in `names`, by the 16 bytes of its id from `offset` on. */
  route: (traceIds: Uint8Array, offset: number) => number;
}

export interface ClassifyOptions extends RunOptions {
  inputs: readonly { entry: BlockEntry; reader: BlockReader }[];
  retention: Retention;
  /** Of hash tables over ids that senders chose. */
  seed: number;
}

/**
 * Decides the classes of traces whose blocks are merged. The rules judge each trace as it is in all inputs together,
 * once any input is not classified yet. A trace gets the longest class that a part of it has or gets.
 */
export async function classify(options: ClassifyOptions): Promise<Classes> {
  const { inputs, retention, seed } = options;
  const unclassified = inputs.filter(({ entry }) => entry.retentionClass === UNCLASSIFIED);
  if (unclassified.length === inputs.length && retention.rules.length === 0) {
    return { names: [UNCLASSIFIED], route: () => 0 };
  }
  const earned = new Map<string, TraceKeySet>();
  const setOf = (name: string): TraceKeySet => {
    let set = earned.get(name);
    if (set === undefined) earned.set(name, (set = new TraceKeySet(seed)));
    return set;
  };
  if (unclassified.length > 0) await matchRules(options, setOf);
  const names = new Set([DEFAULT_CLASS, ...earned.keys()]);
  for (const { entry } of inputs) if (entry.retentionClass !== UNCLASSIFIED) names.add(entry.retentionClass);
  const ranked = [...names].sort((a, b) => keepOfClass(b, retention) - keepOfClass(a, retention) || (a < b ? -1 : 1));
  // What is in no set belongs to the last: no set of that one is needed.
  const last = ranked.length - 1;
  if (ranked[last] !== DEFAULT_CLASS) {
    const matched = [...earned.values()];
    for (const { reader } of unclassified) {
      await eachKey(reader, options.signal, (keys, at) => {
        if (!matched.some((set) => set.hasKey(keys, at))) setOf(DEFAULT_CLASS).addKeys(keys.subarray(at, at + 8));
      });
    }
  }
  for (const { entry, reader } of inputs) {
    const name = entry.retentionClass;
    if (name === UNCLASSIFIED || name === ranked[last]) continue;
    const set = setOf(name);
    await eachKey(reader, options.signal, (keys, at) => set.addKeys(keys.subarray(at, at + 8)));
  }
  const sets = ranked.slice(0, last).map((name) => earned.get(name));
  return {
    names: ranked,
    route: (traceIds, offset) => {
      for (let place = 0; place < last; place++) if (sets[place]?.hasId(traceIds, offset) === true) return place;
      return last;
    },
  };
}

/** A trace that several rules match counts for the longest only. */
async function matchRules(options: ClassifyOptions, setOf: (name: string) => TraceKeySet): Promise<void> {
  const { inputs, retention } = options;
  // What these blocks have in common is not worth remembering: they are about to be replaced.
  const sources = inputs.map(({ reader }) => ({ ...blockSource(reader), immutable: false }));
  const longestFirst = [...retention.rules].sort((a, b) => b.keepMs - a.keepMs);
  const taken: TraceKeySet[] = [];
  for (const { query, keepMs } of longestFirst) {
    const set = setOf(classOfKeep(keepMs));
    try {
      await matchTraces(sources, query, options, (traceId) => {
        if (!taken.some((longer) => longer !== set && longer.hasId(traceId))) set.addId(traceId);
      });
    } catch (error) {
      throw error instanceof SourceFailure ? namingBlock(error) : error;
    }
    taken.push(set);
  }
}

/** Damage says which block it is of, as that which merges find does; other failures are as they were. */
function namingBlock({ source, cause }: SourceFailure): unknown {
  return isKind(cause, 'data') ? dataError('merge-input', `block ${source}: ${cause.message}`, cause) : cause;
}

async function eachKey(
  reader: BlockReader,
  signal: AbortSignal,
  visit: (keys: Uint8Array, at: number) => void,
): Promise<void> {
  const { traceGroups } = await reader.index({ signal });
  for (let group = 0; group < traceGroups.length; group++) {
    const { ids } = await reader.readTraceList(group, { signal });
    for (let at = 0; at < ids.length; at += 8) visit(ids, at);
  }
}
