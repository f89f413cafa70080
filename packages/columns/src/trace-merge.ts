import { bytesToHex, compareBytes } from '@vivace/kernel';
import { Fragment, varintLength } from './fragment.ts';
import { compareResends, fieldEnd, spanBytes } from './resend.ts';
import type { EncodedSpans } from './span-encoder.ts';

export interface MergedTrace {
  /** An OTLP TracesData message; no bytes where no span was found. */
  bytes: Uint8Array;
  spanCount: number;
  /** Spans were left out, because the answer would be larger than `maxBytes`. */
  truncated: boolean;
}

interface Place {
  part: EncodedSpans;
  index: number;
}

/**
 * Joins what several sources hold of one trace: a span that more than one has is there once, by the rule of
 * resends. Spans are grouped by resource and scope, in the order of their start. What Grafana's data source
 * cannot do without is added: a resource with at least one attribute, and a scope.
 */
export function mergeTrace(parts: readonly EncodedSpans[], { maxBytes }: { maxBytes: number }): MergedTrace {
  const places = parts.length === 1 ? placesOf(parts[0] as EncodedSpans) : distinctPlaces(parts);
  places.sort(compareStarts);
  const owners = new Set<Uint8Array>();
  let bytes = 0;
  let kept = 0;
  for (; kept < places.length; kept++) {
    const { part, index } = places[kept] as Place;
    bytes += spanBytes(part, index).length;
    for (const owner of [resourceOf(part, index), scopeOf(part, index)]) {
      if (owners.has(owner)) continue;
      owners.add(owner);
      bytes += owner.length;
    }
    if (bytes > maxBytes && kept > 0) break;
  }
  return {
    bytes: encodeTrace(places.slice(0, kept)),
    spanCount: kept,
    truncated: kept < places.length,
  };
}

function resourceOf(part: EncodedSpans, index: number): Uint8Array {
  return part.resources[part.resource[index] as number] as Uint8Array;
}

function scopeOf(part: EncodedSpans, index: number): Uint8Array {
  return part.scopes[part.scope[index] as number] as Uint8Array;
}

function placesOf(part: EncodedSpans): Place[] {
  return Array.from({ length: part.count }, (_, index) => ({ part, index }));
}

function distinctPlaces(parts: readonly EncodedSpans[]): Place[] {
  const found = new Map<string, Place>();
  for (const part of parts) {
    for (let index = 0; index < part.count; index++) {
      const id = bytesToHex(part.spanIds.subarray(index * 8, index * 8 + 8));
      const key = `${id} ${part.kinds[index]} ${part.starts[index * 2]} ${part.starts[index * 2 + 1]}`;
      const other = found.get(key);
      if (other === undefined || compareResends(part, index, other.part, other.index) > 0)
        found.set(key, { part, index });
    }
  }
  return [...found.values()];
}

function compareStarts(a: Place, b: Place): number {
  return (
    (a.part.starts[a.index * 2 + 1] as number) - (b.part.starts[b.index * 2 + 1] as number) ||
    (a.part.starts[a.index * 2] as number) - (b.part.starts[b.index * 2] as number) ||
    compareBytes(
      a.part.spanIds.subarray(a.index * 8, a.index * 8 + 8),
      b.part.spanIds.subarray(b.index * 8, b.index * 8 + 8),
    )
  );
}

interface ScopeGroup {
  scope: Uint8Array;
  places: Place[];
  bytes: number;
}

interface ResourceGroup {
  resource: Uint8Array;
  scopes: Map<string, ScopeGroup>;
}

function encodeTrace(places: readonly Place[]): Uint8Array {
  const groups = new Map<string, ResourceGroup>();
  const keys = new Map<Uint8Array, string>();
  const keyOf = (bytes: Uint8Array): string => {
    let key = keys.get(bytes);
    if (key === undefined) {
      key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
      keys.set(bytes, key);
    }
    return key;
  };
  for (const place of places) {
    const { part, index } = place;
    const resource = resourceOf(part, index);
    const scope = scopeOf(part, index);
    let group = groups.get(keyOf(resource));
    if (group === undefined) {
      group = { resource: answeredResource(resource), scopes: new Map() };
      groups.set(keyOf(resource), group);
    }
    let scopeGroup = group.scopes.get(keyOf(scope));
    if (scopeGroup === undefined) {
      scopeGroup = { scope: answeredScope(scope), places: [], bytes: 0 };
      group.scopes.set(keyOf(scope), scopeGroup);
    }
    const length = spanBytes(part, index).length;
    scopeGroup.places.push(place);
    scopeGroup.bytes += 1 + varintLength(length) + length;
  }
  const out = new Fragment();
  for (const { resource, scopes } of groups.values()) {
    let length = resource.length;
    for (const { scope, bytes } of scopes.values()) {
      const inner = scope.length + bytes;
      length += 1 + varintLength(inner) + inner;
    }
    out.addByte(0x0a);
    out.addVarint(length);
    out.addRaw(resource, 0, resource.length);
    for (const { scope, bytes, places: members } of scopes.values()) {
      out.addByte(0x12);
      out.addVarint(scope.length + bytes);
      out.addRaw(scope, 0, scope.length);
      for (const { part, index } of members) {
        out.addBytes(0x12, part.bytes, part.offsets[index] as number, part.offsets[index + 1] as number);
      }
    }
  }
  return out.take();
}

/** resource { attributes { key: "service.name" value { string_value: "unknown_service" } } } */
const UNKNOWN_SERVICE = (() => {
  const key = Buffer.from('service.name');
  const value = Buffer.from('unknown_service');
  const keyValue = Buffer.concat([
    Buffer.of(0x0a, key.length),
    key,
    Buffer.of(0x12, value.length + 2, 0x0a, value.length),
    value,
  ]);
  const resource = Buffer.concat([Buffer.of(0x0a, keyValue.length), keyValue]);
  return new Uint8Array(Buffer.concat([Buffer.of(0x0a, resource.length), resource]));
})();

/** Grafana drops the spans of a resource without attributes and fails on an absent one, so there is always one. */
function answeredResource(fields: Uint8Array): Uint8Array {
  return hasResourceAttribute(fields) ? fields : joined(fields, UNKNOWN_SERVICE);
}

/** Grafana fails on an absent scope; an empty one is fine. */
function answeredScope(fields: Uint8Array): Uint8Array {
  return topField(fields, 0x0a) >= 0 ? fields : joined(fields, Uint8Array.of(0x0a, 0x00));
}

function hasResourceAttribute(fields: Uint8Array): boolean {
  let rest = fields;
  for (;;) {
    const at = topField(rest, 0x0a);
    if (at < 0) return false;
    const end = fieldEnd(rest, at);
    // Past the tag and the length.
    let body = at;
    while ((rest[body++] as number) > 127);
    while ((rest[body++] as number) > 127);
    if (topField(rest.subarray(body, end), 0x0a) >= 0) return true;
    rest = rest.subarray(end);
  }
}

function topField(message: Uint8Array, tag: number): number {
  for (let at = 0; at < message.length; at = fieldEnd(message, at)) if (tagAt(message, at) === tag) return at;
  return -1;
}

/** Senders may write a tag in more bytes than it needs. */
function tagAt(message: Uint8Array, at: number): number {
  let tag = 0;
  let shift = 0;
  for (let p = at; shift < 35; p++, shift += 7) {
    const byte = message[p] as number;
    tag |= (byte & 127) << shift;
    if (byte < 128) break;
  }
  return tag >>> 0;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
