import type { AttributeType } from '@vivace/columns';

/** An attribute as tests write it: the value's JavaScript type decides the column, bytes are the raw entry of `type`. */
export type TestAttribute = [key: string, value: string | bigint | number | boolean | RawValue];

/** Exact entry bytes of a type, for NaN payloads and the like. */
export interface RawValue {
  type: AttributeType;
  bytes: Uint8Array;
}

export interface TestSpan {
  /** 32 hex digits. */
  traceId: string;
  /** 16 hex digits. */
  spanId: string;
  parentId?: string;
  start: bigint;
  end: bigint;
  name?: string;
  kind?: number;
  status?: number;
  flags?: number;
  statusMessage?: string;
  traceState?: string;
  resource?: Uint8Array;
  scope?: Uint8Array;
  attributes?: TestAttribute[];
  overflow?: Uint8Array;
  events?: TestEvent[];
  dead?: boolean;
}

export interface TestEvent {
  /** Present: a link to (trace id, span id), 48 hex digits; without ids where it is empty. */
  link?: string;
  time?: bigint;
  name?: string;
  traceState?: string;
  attributes?: TestAttribute[];
  overflow?: Uint8Array;
}
