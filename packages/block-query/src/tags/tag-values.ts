import type { AttributeSummary, ValueSummary } from '@vivace/block';
import type { Field } from '@vivace/traceql';
import type { AnswerValue } from '../answer.ts';
import { BatchRows } from '../batch-rows.ts';
import { type Filter, needsOf } from '../needs.ts';
import type { RunOptions } from '../search.ts';
import type { Source } from '../source.ts';
import { NIL } from '../value.ts';
import { collectAttribute, collectIntrinsic } from './collect-values.ts';
import { knownValues } from './intrinsics.ts';
import { eachMatchedBatch } from './matched-batches.ts';
import { ValueSet } from './value-set.ts';

export interface TagValuesRequest {
  field: Field;
  /** Only values of spans that match it. */
  filter: Filter | undefined;
  /** 0: all. */
  limit: number;
}

export interface TagValuesResult {
  /** Distinct, arrays as their elements; sorted by type, then value. */
  values: AnswerValue[];
  /** There are more values than fit into one answer, whatever the limit. */
  truncated: boolean;
  /** In batches of which rows were looked at. */
  inspectedSpans: number;
  inspectedTraces: number;
}

/**
 * The values of a field. Without a filter those of blocks come from their summaries, where these list them all (but
 * names that are not UTF-8, which are "" there); everything else is read from columns. Values are of all versions of
 * spans that were sent again, and of all spans that may match: see `eachMatchedBatch`. Rejects with `SourceFailure`
 * where a source cannot be read.
 */
export async function tagValues(
  sources: readonly Source[],
  { field, filter, limit }: TagValuesRequest,
  options: RunOptions,
): Promise<TagValuesResult> {
  const known = knownValues(field);
  const into = new ValueSet();
  let sought: Field = field;
  const inspected = await eachMatchedBatch(
    known === undefined ? sources : [],
    // Which root a trace has is said by all of its parts.
    { ...options, filter, byTrace: filter !== undefined && isOfRoot(field) },
    {
      wants: async (source) => {
        if (into.truncated) return false;
        sought = field;
        const summary = await source.summary(options.signal);
        if (summary === undefined) return true;
        const plan = planOf(summary, field);
        if (plan.sought === undefined) return false;
        sought = plan.sought;
        if (filter !== undefined) return true;
        for (const { type, values } of plan.listed ?? []) {
          if (type !== 'other') for (const { bytes } of values) into.addEntry(type, bytes);
        }
        return plan.listed === undefined && !(await addOwned(source, sought, into, options.signal));
      },
      visit: async (match) => {
        await match.rows.batch.prepare(needsOf([sought]), options.signal);
        if (sought.kind === 'attribute') collectAttribute(match, sought, into);
        else collectIntrinsic(match, sought, into);
        return !into.truncated;
      },
    },
  );
  const values = known ?? into.sorted();
  return {
    values: limit === 0 ? values : values.slice(0, limit),
    truncated: into.truncated,
    inspectedSpans: inspected.spans,
    inspectedTraces: inspected.traces,
  };
}

function isOfRoot(field: Field): boolean {
  return field.kind === 'intrinsic' && (field.name === 'trace:rootName' || field.name === 'trace:rootService');
}

/** How the values of a field are found in a block. */
interface Plan {
  /** With its scope, where only one has it; undefined: the block does not have the field. */
  sought: Field | undefined;
  /** What the summary says, where it lists all values; undefined: columns have to be read. */
  listed: AttributeSummary[] | undefined;
}

function planOf({ attributes, truncated }: ValueSummary, field: Field): Plan {
  if (field.kind === 'intrinsic') {
    const key = field.name === 'span:name' ? 'name' : field.name;
    const found = attributes.filter((one) => one.scope === 'intrinsic' && one.key === key);
    if (found.length > 0) return { sought: field, listed: areListed(found) ? found : undefined };
    const noEvents = field.name === 'event:name' && !truncated;
    return { sought: noEvents ? undefined : field, listed: undefined };
  }
  if (truncated) return { sought: field, listed: undefined };
  const { scope, name } = field;
  const found = attributes.filter(
    (one) => one.key === name && one.scope !== 'intrinsic' && (scope === 'any' || scope === one.scope),
  );
  const scopes = [...new Set(found.map((one) => one.scope))];
  // Several scopes hide each other's values, span by span.
  if (scopes.length > 1) return { sought: field, listed: undefined };
  const [only] = scopes;
  if (only === undefined || only === 'intrinsic') return { sought: undefined, listed: undefined };
  return { sought: { ...field, scope: only }, listed: areListed(found) ? found : undefined };
}

function areListed(found: readonly AttributeSummary[]): boolean {
  return found.every(({ truncated }) => !truncated);
}

/** Resources and scopes of a block are all used by some span, and every batch has them all. False: not of them. */
async function addOwned(source: Source, field: Field, into: ValueSet, signal: AbortSignal): Promise<boolean> {
  const ofResource = field.kind === 'attribute' && field.scope === 'resource';
  const ofScope =
    field.kind === 'attribute' ? field.scope === 'instrumentation' : field.name.startsWith('instrumentation:');
  if (!ofResource && !ofScope) return false;
  const [batch] = await source.batches(signal);
  if (batch === undefined) return true;
  await batch.prepare(needsOf([field]), signal);
  const rows = new BatchRows(batch);
  if (ofResource) {
    for (let code = 0; code < batch.resources().length; code++) into.add(rows.resource(code).get(field.name) ?? NIL);
    return true;
  }
  for (let code = 0; code < batch.scopes().length; code++) {
    const scope = rows.scope(code);
    if (field.kind === 'attribute') into.add(scope.attributes.get(field.name) ?? NIL);
    else into.add({ type: 'string', value: field.name === 'instrumentation:name' ? scope.name : scope.version });
  }
  return true;
}
