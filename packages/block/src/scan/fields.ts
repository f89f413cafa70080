import type { EVENT_COLUMNS, SPAN_COLUMNS } from '../layout.ts';

/** Columns that every span has or may have, as queries see them. */
export type SpanField =
  | 'start'
  | 'end'
  | 'duration'
  | 'spanIds'
  | 'parentIds'
  | 'kind'
  | 'status'
  | 'name'
  | 'statusMessage'
  | 'resource'
  | 'scope'
  | 'traceIds'
  | 'overflow';

/** The same of events and links. */
export type EventField = 'eventKind' | 'eventTime' | 'eventName' | 'linkIds' | 'eventOverflow';

/** Whatever is made of stored columns. */
export type Field = SpanField | EventField | 'eventSpan';

interface FieldSource {
  /** Other fields it is made from. */
  fields?: readonly Field[];
  spans?: readonly (typeof SPAN_COLUMNS)[number]['name'][];
  events?: readonly (typeof EVENT_COLUMNS)[number]['name'][];
}

/** Stored columns that fields are made from. An end may take the overflow column, too: durations of 0 tell. */
export const SOURCES: Record<Field, FieldSource> = {
  start: { spans: ['start'] },
  end: { fields: ['start'], spans: ['duration'] },
  duration: { spans: ['duration'] },
  spanIds: { spans: ['span_id'] },
  parentIds: { fields: ['spanIds'], spans: ['parent', 'parent_id'] },
  kind: { spans: ['kind'] },
  status: { spans: ['status'] },
  name: { spans: ['name'] },
  statusMessage: { spans: ['status_message'] },
  resource: { spans: ['resource_id'] },
  scope: { spans: ['scope_id'] },
  traceIds: { spans: ['trace_id'] },
  overflow: { spans: ['duration', 'overflow'] },
  eventSpan: { events: ['span_row'] },
  eventKind: { events: ['kind'] },
  eventTime: { fields: ['eventSpan', 'eventKind', 'start'], events: ['time_offset'] },
  eventName: { events: ['name'] },
  linkIds: { events: ['linked_trace_id', 'linked_span_id'] },
  eventOverflow: { events: ['overflow'] },
};
