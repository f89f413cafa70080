import type { FieldExpression } from '@vivace/traceql';
import { type BatchRows, EVENT_ROW, LINK_ROW } from './batch-rows.ts';
import { eventFlags } from './column-flags.ts';
import type { EventScope } from './conjunction.ts';
import { isId } from './evaluate.ts';
import { preparedComparison } from './prepared-comparison.ts';

// Hot path: conditions on events (or links) that are judged together, for all event rows of a batch.

/**
 * One byte a span row: 1 where one event fulfils all conditions of the group. Undefined where a condition is not a
 * comparison of a column with a literal: then it goes event by event.
 */
export function spansWithEvent(
  source: BatchRows,
  group: readonly FieldExpression[],
  scope: EventScope,
): Uint8Array | undefined {
  const { batch } = source;
  const events = allOf(source, group);
  if (events === undefined) return undefined;
  const rows = new Uint8Array(batch.rows);
  const spans = batch.eventSpan();
  const kinds = batch.eventKind();
  const kind = scope === 'link' ? LINK_ROW : EVENT_ROW;
  for (let event = 0; event < events.length; event++) {
    if (events[event] === 1 && kinds[event] === kind) rows[spans[event] as number] = 1;
  }
  return rows;
}

function allOf(source: BatchRows, conditions: readonly FieldExpression[]): Uint8Array | undefined {
  let result: Uint8Array | undefined;
  for (const condition of conditions) {
    const events = eventsWith(source, condition);
    if (events === undefined) return undefined;
    if (result === undefined) result = events;
    else for (let i = 0; i < events.length; i++) result[i] = (result[i] as number) & (events[i] as number);
  }
  return result;
}

function eventsWith(source: BatchRows, condition: FieldExpression): Uint8Array | undefined {
  if (condition.kind === 'binary' && condition.operator === '&&') {
    return allOf(source, [condition.left, condition.right]);
  }
  if (condition.kind === 'binary' && condition.operator === '||') {
    const left = eventsWith(source, condition.left);
    const right = eventsWith(source, condition.right);
    if (left === undefined || right === undefined) return undefined;
    for (let i = 0; i < left.length; i++) left[i] = (left[i] as number) | (right[i] as number);
    return left;
  }
  const comparison = preparedComparison(condition);
  if (comparison === undefined || isId(comparison.field)) return undefined;
  const { field, test, verdicts } = comparison;
  const flags = eventFlags(source, field, test);
  for (let i = 0; i < flags.length; i++) flags[i] = verdicts[flags[i] as number] as number;
  return flags;
}
