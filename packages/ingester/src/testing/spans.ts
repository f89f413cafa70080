import { createBlockCache, openBlock } from '@vivace/block';
import type { EncodedSpans } from '@vivace/columns';
import { hexToBytes, type PooledBuffer, utf8Encode } from '@vivace/kernel';
import { blockKey, type Manifest } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import { tracesFromJson } from '@vivace/otlp';

/** A span is a number from 1; ten consecutive ones are a trace. */
const SPANS_A_TRACE = 10;
const never = new AbortController().signal;

/** An encoded request with these spans, each about as long as `padding` says. */
export function spanRequest(spans: readonly number[], { startMs = 0, padding = 0 } = {}): PooledBuffer {
  const json = {
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'test' } }] },
        scopeSpans: [
          {
            spans: spans.map((span) => ({
              traceId: traceHex(span),
              spanId: hex(span, 16),
              name: `span ${span % 5}`,
              startTimeUnixNano: `${BigInt(Math.floor(startMs)) * 1_000_000n}`,
              endTimeUnixNano: `${BigInt(Math.floor(startMs)) * 1_000_000n + 1000n}`,
              attributes: padding === 0 ? [] : [{ key: 'padding', value: { stringValue: 'x'.repeat(padding) } }],
            })),
          },
        ],
      },
    ],
  };
  return pooled(tracesFromJson(utf8Encode(JSON.stringify(json))));
}

/** The bytes in a buffer as receivers have them. */
export function pooled(bytes: Uint8Array): PooledBuffer {
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  return { bytes: shared, release: () => undefined };
}

export function traceIdOf(span: number): Uint8Array {
  return hexToBytes(traceHex(span));
}

/** The spans of what heads or blocks answer, ascending. */
export function spansOf(parts: readonly EncodedSpans[]): number[] {
  const spans: number[] = [];
  for (const { count, spanIds } of parts) {
    for (let i = 0; i < count; i++) spans.push(spanNumber(spanIds, i * 8));
  }
  return spans.sort((a, b) => a - b);
}

/** Every span in the live blocks of a tenant, as often as it is there, ascending. */
export async function storedSpans(manifest: Manifest, store: ObjectStore): Promise<number[]> {
  const { live } = await manifest.snapshot(never, { maxAgeMs: 0 });
  const spans: number[] = [];
  for (const { id, sections } of live) {
    const block = openBlock({
      place: { id, sections },
      cache: createBlockCache({ maxBytes: 1024 * 1024 }),
      readRange: async (object, offset, length) =>
        (await store.get(blockKey(manifest.tenant, id, object), { range: { offset, length } })).bytes,
    });
    const { groups } = (await block.index()).spans;
    for (let group = 0; group < groups.length; group++) {
      const { spanId, spanCount } = await block.readGroup(group);
      const bytes = new Uint8Array(spanId.buffer, spanId.byteOffset);
      for (let row = 0; row < spanCount; row++) spans.push(spanNumber(bytes, row * 8));
    }
  }
  return spans.sort((a, b) => a - b);
}

function spanNumber(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at + 4);
}

function traceHex(span: number): string {
  return hex(Math.floor(span / SPANS_A_TRACE) + 1, 32);
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
