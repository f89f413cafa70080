import { bytesToHex } from '@vivace/kernel';
import type { TraceMatch } from '../answer.ts';

const MAX_UINT32 = 4294967295;
const NANOS_PER_MS = 1_000_000n;

/** Tempo's words for a trace whose root is not there; Grafana shows them as they are. */
export const NO_ROOT = '<root span not yet received>';

export function durationMsOf({ durationNanos }: TraceMatch): number {
  return uint32(Number(durationNanos / NANOS_PER_MS));
}

/** Hexadecimal without the zeros at its beginning, as Tempo writes trace ids. */
export function traceIdText(traceId: Uint8Array): string {
  const text = bytesToHex(traceId);
  return text.startsWith('0') ? text.replace(/^0+(?=.)/, '') : text;
}

export function uint32(value: number): number {
  return Math.min(MAX_UINT32, Math.max(0, Math.trunc(value)));
}
