import { utf8Decode, VivaceError } from '@vivace/kernel';
import { ProtoReader, WIRE_BYTES, WIRE_VARINT } from '@vivace/otlp';
import type { GivenMetrics } from './metrics-request.ts';
import type { GivenSearch } from './search-request.ts';
import { fieldOf, filterOf, oldFieldOf, scopeOf, type TagsRequest, type TagValuesRequest } from './tag-request.ts';
import { TAG_WINDOW, windowOf } from './time-window.ts';

/**
 * Requests of `tempopb.StreamingQuerier`: fields by their numbers, the last of several; those that are not known
 * are stepped over. Grafana always sends some that mean nothing here.
 */
export interface RequestFields {
  text(field: number): string;
  /** Undefined where it is absent or 0, which are the same in proto3. */
  integer(field: number): bigint | undefined;
  /** As `integer`, for what is 32 bits wide. */
  uint32(field: number): number | undefined;
  /** A map of strings, of the entries in order. */
  map(field: number): Map<string, string>;
}

/** More entries of a map than this are no request of anybody. */
const MAX_FIELDS = 10_000;
const MAX_UINT32 = 0xffffffffn;

/** Decodes a request. Throws `invalid` for what is no protobuf message. */
export function decodeRequest(message: Uint8Array): RequestFields {
  const integers = new Map<number, bigint>();
  const parts = new Map<number, Uint8Array[]>();
  try {
    readFields(message, integers, parts);
  } catch (cause) {
    throw new VivaceError('invalid', 'stream-request', 'the request is not a message of tempopb.StreamingQuerier', {
      cause,
    });
  }
  const integer = (field: number) => integers.get(field) || undefined;
  return {
    text: (field) => utf8Decode(parts.get(field)?.at(-1) ?? new Uint8Array(0)),
    integer,
    uint32: (field) => {
      const value = integer(field);
      return value === undefined ? undefined : Number(value > MAX_UINT32 ? MAX_UINT32 : value);
    },
    map: (field) =>
      new Map(
        (parts.get(field) ?? []).map((entry) => {
          const fields = decodeRequest(entry);
          return [fields.text(1), fields.text(2)];
        }),
      ),
  };
}

function readFields(message: Uint8Array, integers: Map<number, bigint>, parts: Map<number, Uint8Array[]>): void {
  const reader = new ProtoReader(message);
  let count = 0;
  while (reader.at < reader.end) {
    if (++count > MAX_FIELDS) throw new VivaceError('data', 'stream-request-fields', 'the request has too many fields');
    const tag = reader.tag();
    const field = tag >>> 3;
    switch (tag & 7) {
      case WIRE_VARINT:
        reader.varint64();
        integers.set(field, (BigInt(reader.hi) << 32n) | BigInt(reader.lo));
        break;
      case WIRE_BYTES: {
        const length = reader.length();
        const bytes = message.subarray(reader.at, reader.at + length);
        const before = parts.get(field);
        if (before === undefined) parts.set(field, [bytes]);
        else before.push(bytes);
        reader.at += length;
        break;
      }
      default:
        reader.skip(tag & 7);
    }
  }
}

/** A `SearchRequest`. */
export function givenSearch(fields: RequestFields, cursor: string | undefined): GivenSearch {
  const tags = fields.map(1);
  const q = fields.text(8);
  const milliseconds = (field: number) => {
    const ms = fields.uint32(field);
    return ms === undefined ? undefined : BigInt(ms) * 1_000_000n;
  };
  return {
    q: q === '' ? undefined : q,
    tags: tags.size === 0 ? undefined : tags,
    duration: { minNanos: milliseconds(2), maxNanos: milliseconds(3) },
    limit: fields.uint32(4),
    start: fields.uint32(5),
    end: fields.uint32(6),
    spansPerSpanset: fields.uint32(9),
    cursor,
  };
}

/** A `QueryRangeRequest` or, `instant`, a `QueryInstantRequest`; times are nanoseconds. */
export function givenMetrics(fields: RequestFields, instant: boolean): GivenMetrics {
  return {
    query: fields.text(1),
    startUnixNano: fields.integer(2),
    endUnixNano: fields.integer(3),
    stepNanos: instant ? undefined : fields.integer(4),
    exemplars: instant ? undefined : fields.uint32(16),
    maxSeries: instant ? undefined : fields.uint32(17),
    instant: instant || fields.integer(18) === 1n,
  };
}

/** A `SearchTagsRequest`. */
export function givenTags(fields: RequestFields, version: 1 | 2, nowMs: number): TagsRequest {
  return {
    scope: scopeOf(fields.text(1)),
    filter: version === 1 ? undefined : filterOf(fields.text(2)),
    limit: fields.uint32(5) ?? 0,
    ...windowOf({ start: fields.uint32(3), end: fields.uint32(4) }, TAG_WINDOW, nowMs),
  };
}

/** A `SearchTagValuesRequest`. */
export function givenTagValues(fields: RequestFields, version: 1 | 2, nowMs: number): TagValuesRequest {
  const tag = fields.text(1);
  return {
    field: version === 1 ? oldFieldOf(tag) : fieldOf(tag),
    filter: version === 1 ? undefined : filterOf(fields.text(2)),
    limit: fields.uint32(6) ?? 0,
    ...windowOf({ start: fields.uint32(4), end: fields.uint32(5) }, TAG_WINDOW, nowMs),
  };
}
