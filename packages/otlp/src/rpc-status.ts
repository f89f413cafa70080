import { ProtoWriter, WIRE_VARINT } from './wire.ts';

/** google.rpc.Status (google/rpc/status.proto), with RetryInfo (google/rpc/error_details.proto) as its only detail. */
export interface RpcStatus {
  /** A gRPC status code. */
  code: number;
  message: string;
  /** When to try again. Absent: no RetryInfo, which for RESOURCE_EXHAUSTED means never. */
  retryDelayMs?: number;
}

const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo';

export function encodeRpcStatus(status: RpcStatus): Uint8Array<ArrayBuffer> {
  const out = new ProtoWriter(128);
  if (status.code !== 0) {
    out.tag(1, WIRE_VARINT);
    out.varint(status.code);
  }
  if (status.message !== '') out.stringField(2, status.message);
  if (status.retryDelayMs !== undefined) {
    const any = out.open(3);
    out.stringField(1, RETRY_INFO);
    const info = out.open(2);
    const delay = out.open(1);
    const { seconds, nanos } = duration(status.retryDelayMs);
    if (seconds !== 0) {
      out.tag(1, WIRE_VARINT);
      out.varint(seconds);
    }
    if (nanos !== 0) {
      out.tag(2, WIRE_VARINT);
      out.varint(nanos);
    }
    out.close(delay);
    out.close(info);
    out.close(any);
  }
  return out.toBytes();
}

export function rpcStatusToJson(status: RpcStatus): string {
  if (status.retryDelayMs === undefined) return JSON.stringify({ code: status.code, message: status.message });
  const { seconds, nanos } = duration(status.retryDelayMs);
  const fraction = nanos === 0 ? '' : `.${String(nanos / 1e6).padStart(3, '0')}`;
  return JSON.stringify({
    code: status.code,
    message: status.message,
    details: [{ '@type': RETRY_INFO, retryDelay: `${seconds}${fraction}s` }],
  });
}

/** google.protobuf.Duration of whole milliseconds. */
function duration(ms: number): { seconds: number; nanos: number } {
  const whole = Math.max(0, Math.ceil(ms));
  return { seconds: Math.floor(whole / 1000), nanos: (whole % 1000) * 1e6 };
}
