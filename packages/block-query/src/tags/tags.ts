import type { ValueSummary } from '@vivace/block';
import type { Filter } from '../needs.ts';
import type { RunOptions } from '../search.ts';
import type { Source } from '../source.ts';
import { collectKeys, isOpen, type MissingKeys } from './collect-keys.ts';
import { INTRINSIC_TAGS } from './intrinsics.ts';
import { type AttributeScope, KeySets } from './key-sets.ts';
import { eachMatchedBatch } from './matched-batches.ts';

/** Where names are listed from. */
type TagScope = AttributeScope | 'intrinsic';

export interface TagsRequest {
  /** Undefined: every scope. */
  scope: TagScope | undefined;
  /** Only tags of spans that match it. */
  filter: Filter | undefined;
  /** Of each scope but the intrinsics, which are a fixed list; 0: all. */
  limit: number;
}

export interface TagsResult {
  /** Names sorted by their bytes; scopes without names are left out. */
  scopes: { name: TagScope; tags: string[] }[];
  /** There are more names than fit into one answer, whatever the limit. */
  truncated: boolean;
  /** In batches of which rows were looked at. */
  inspectedSpans: number;
  inspectedTraces: number;
}

const SCOPES: readonly AttributeScope[] = ['resource', 'span', 'event', 'link', 'instrumentation'];

/**
 * The names of attributes. Without a filter blocks are asked for their summaries alone. Names are of all versions of
 * spans that were sent again, and of all spans that may match: see `eachMatchedBatch`. Rejects with `SourceFailure`
 * where a source cannot be read.
 */
export async function tags(
  sources: readonly Source[],
  { scope, filter, limit }: TagsRequest,
  options: RunOptions,
): Promise<TagsResult> {
  const { signal } = options;
  const into = new KeySets(SCOPES.filter((one) => scope === undefined || scope === one));
  let missing: MissingKeys;
  const unfinished = () => !into.truncated && [...into.scopes].some((one) => isOpen(one, into, missing));
  const inspected = await eachMatchedBatch(
    scope === 'intrinsic' ? [] : sources,
    { ...options, filter, byTrace: false },
    {
      wants: async (source) => {
        const summary = await source.summary(signal);
        missing = summary && keysOf(summary);
        if (missing !== undefined && filter === undefined) {
          for (const [one, keys] of missing) for (const key of keys) into.add(one, key);
        }
        return unfinished();
      },
      visit: async (batch) => {
        await collectKeys(batch, into, missing, signal);
        return unfinished();
      },
    },
  );
  const found: TagsResult['scopes'] = [...into.scopes].map((name) => {
    const names = into.sorted(name);
    return { name, tags: limit === 0 ? names : names.slice(0, limit) };
  });
  if (scope === undefined || scope === 'intrinsic') found.push({ name: 'intrinsic', tags: [...INTRINSIC_TAGS] });
  return {
    scopes: found.filter(({ tags: names }) => names.length > 0),
    truncated: into.truncated,
    inspectedSpans: inspected.spans,
    inspectedTraces: inspected.traces,
  };
}

/** Undefined where a summary does not list all keys. */
function keysOf({ attributes, truncated }: ValueSummary): MissingKeys {
  if (truncated) return undefined;
  const keys = new Map<AttributeScope, Set<string>>();
  for (const { scope, key } of attributes) {
    if (scope === 'intrinsic') continue;
    const known = keys.get(scope);
    if (known === undefined) keys.set(scope, new Set([key]));
    else known.add(key);
  }
  return keys;
}
