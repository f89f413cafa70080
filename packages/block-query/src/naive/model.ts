import type { Kind, Status } from '@vivace/traceql';
import type { AnswerValue } from '../answer.ts';

/**
 * Traces as plain objects, for the evaluator that is read and believed rather than fast: the judge of the one that
 * answers queries. What everything means is in docs/traceql.md.
 */

/** `nil` is a value that is not there. */
export type Value = AnswerValue;
export type Attributes = ReadonlyMap<string, Value>;

export const NIL: Value = { type: 'nil' };

export interface NaiveEvent {
  name: string;
  timeUnixNano: bigint;
  attributes: Attributes;
}

export interface NaiveLink {
  /** Lower-case hex of 16 and 8 bytes; undefined where the bytes are fewer or more. */
  traceId: string | undefined;
  spanId: string | undefined;
  attributes: Attributes;
}

/** What a span says of itself. */
export interface SpanRecord {
  spanId: Uint8Array;
  /** Undefined for roots. */
  parentId: Uint8Array | undefined;
  name: string;
  kind: Kind;
  /** The number of the kind as it was sent, which is part of the span's identity. */
  kindNumber: number;
  status: Status;
  statusMessage: string;
  startUnixNano: bigint;
  endUnixNano: bigint;
  attributes: Attributes;
  resource: Attributes;
  scope: { name: string; version: string; attributes: Attributes };
  events: NaiveEvent[];
  links: NaiveLink[];
}

/** A span in its trace. */
export interface NaiveSpan extends SpanRecord {
  trace: NaiveTrace;
  /** Undefined for roots and orphans. */
  parent: NaiveSpan | undefined;
  children: NaiveSpan[];
  nestedSetLeft: bigint;
  nestedSetRight: bigint;
  nestedSetParent: bigint;
}

export interface NaiveTrace {
  traceId: Uint8Array;
  /** In canonical order: by start, span id and kind. */
  spans: NaiveSpan[];
  startUnixNano: bigint;
  endUnixNano: bigint;
  /** The first span without a parent id. */
  root: NaiveSpan | undefined;
}

/** Resource attribute `service.name` where it is a string, else "". */
export function serviceOf(span: NaiveSpan): string {
  const value = span.resource.get('service.name');
  return value?.type === 'string' ? value.value : '';
}

export function spanDuration(span: NaiveSpan): bigint {
  return span.endUnixNano < span.startUnixNano ? 0n : span.endUnixNano - span.startUnixNano;
}

export function traceDuration(trace: NaiveTrace): bigint {
  return trace.endUnixNano - trace.startUnixNano;
}
