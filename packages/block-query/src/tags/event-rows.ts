import { type BatchRows, EVENT_ROW, LINK_ROW } from '../batch-rows.ts';
import type { EventScope } from '../conjunction.ts';
import { RowSet } from './row-set.ts';

/** The events, or links, of chosen spans. */
export function eventRows({ batch }: BatchRows, scope: EventScope, spans: RowSet): RowSet {
  const chosen = new Uint8Array(batch.eventRows);
  if (chosen.length === 0) return RowSet.ofFlags(chosen);
  const flags = spans.flags();
  const spanOf = batch.eventSpan();
  const kinds = batch.eventKind();
  const kind = scope === 'link' ? LINK_ROW : EVENT_ROW;
  for (let event = 0; event < chosen.length; event++) {
    if (kinds[event] === kind) chosen[event] = flags[spanOf[event] as number] as number;
  }
  return RowSet.ofFlags(chosen);
}

/** One byte a span: 1 where it has one of the events that are chosen and not left. */
export function spansOf({ batch }: BatchRows, chosen: RowSet, left: RowSet): Uint8Array {
  const spans = new Uint8Array(batch.rows);
  const spanOf = batch.eventSpan();
  const flags = left.flags();
  for (const event of chosen.list()) if (flags[event] === 0) spans[spanOf[event] as number] = 1;
  return spans;
}
