import type { TestSpan } from '@vivace/block/testing';
import { bytesToHex, type Random } from '@vivace/kernel';

export interface SpanPlan {
  /** Milliseconds since 1970. */
  startMs: number;
  failed?: boolean;
  service?: string;
}

/** A span of a trace, with an id of its own. */
export function spanOf(
  random: Random,
  traceId: string,
  { startMs, failed = false, service = 'shop' }: SpanPlan,
): TestSpan {
  const start = BigInt(Math.floor(startMs)) * 1_000_000n;
  return {
    traceId,
    spanId: bytesToHex(random.bytes(8)),
    start,
    end: start + 5_000_000n,
    name: `op ${random.u32() % 20}`,
    status: failed ? 2 : 0,
    attributes: [
      ['service.id', service],
      ['order.id', bytesToHex(random.bytes(6))],
    ],
  };
}

export function traceIdOf(random: Random): string {
  return bytesToHex(random.bytes(16));
}
