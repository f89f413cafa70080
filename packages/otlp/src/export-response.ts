import { ProtoWriter, WIRE_VARINT } from './wire.ts';

/** What of an export was not taken. Absent in the answer to one that was taken whole. */
export interface PartialSuccess {
  rejectedSpans: number;
  /** The first reason; with `rejectedSpans` 0 it is a warning. */
  errorMessage: string;
}

/** ExportTraceServiceResponse (collector/trace/v1/trace_service.proto). Empty for a full success. */
export function encodeExportResponse(partial?: PartialSuccess): Uint8Array<ArrayBuffer> {
  const out = new ProtoWriter(64);
  if (partial !== undefined) {
    const start = out.open(1);
    if (partial.rejectedSpans !== 0) {
      out.tag(1, WIRE_VARINT);
      out.varint(partial.rejectedSpans);
    }
    if (partial.errorMessage !== '') out.stringField(2, partial.errorMessage);
    out.close(start);
  }
  return out.toBytes();
}

/** The same in OTLP/JSON; the 64-bit count is a string there. */
export function exportResponseToJson(partial?: PartialSuccess): string {
  if (partial === undefined) return '{}';
  return JSON.stringify({
    partialSuccess: { rejectedSpans: String(partial.rejectedSpans), errorMessage: partial.errorMessage },
  });
}
