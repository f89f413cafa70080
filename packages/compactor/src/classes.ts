import type { MergeInput } from '@vivace/block';
import { type BlockEntry, UNCLASSIFIED } from '@vivace/manifest';
import type { Retention } from './retention.ts';

/** Which traces of a merge go to which class. */
export interface Classes {
  /** Every class that a trace belongs to, one at least. */
  names: readonly string[];
  /** The place of a trace's class in `names`, by the number of the trace among those of the merge. */
  placeOf: (number: number) => number;
}

/** A block to be merged, and what its entry says of it. */
export interface ClassifyInput extends MergeInput {
  place: BlockEntry;
}

/**
 * The classes of a merge that needs no look at a trace: no input is classified, and there is no rule. Else undefined, and
 * `classify` finds them; it brings the query engine, which a thread that never judges is spared.
 */
export function plainClasses(inputs: readonly ClassifyInput[], { rules }: Retention): Classes | undefined {
  const isClassified = inputs.some(({ place }) => place.retentionClass !== UNCLASSIFIED);
  return isClassified || rules.length > 0 ? undefined : { names: [UNCLASSIFIED], placeOf: () => 0 };
}
