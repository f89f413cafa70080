import type { BatchRows } from '../batch-rows.ts';
import { EVENT_ROW, LINK_ROW } from '../batch-rows.ts';
import type { EventScope } from '../conjunction.ts';
import { RowMask } from './row-mask.ts';

/** The events, or links, of chosen spans. */
export function eventMask({ batch }: BatchRows, scope: EventScope, { flags }: RowMask): RowMask {
  const chosen = new Uint8Array(batch.eventRows);
  if (chosen.length === 0) return new RowMask(chosen);
  const spans = batch.eventSpan();
  const kinds = batch.eventKind();
  const kind = scope === 'link' ? LINK_ROW : EVENT_ROW;
  for (let event = 0; event < chosen.length; event++) {
    if (kinds[event] === kind) chosen[event] = flags[spans[event] as number] as number;
  }
  return new RowMask(chosen);
}

/** Spans without those that have one of the events. */
export function withoutSpansOf({ batch }: BatchRows, events: RowMask, spans: RowMask): RowMask {
  const flags = spans.flags.slice();
  const spanOf = batch.eventSpan();
  for (let event = 0; event < events.flags.length; event++) {
    if (events.flags[event] === 1) flags[spanOf[event] as number] = 0;
  }
  return new RowMask(flags);
}
