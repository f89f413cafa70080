import { type ErrorKind, toVivaceError } from '@vivace/kernel';

/** The status codes of gRPC that this side sends. */
export const GRPC_OK = 0;
export const GRPC_RESOURCE_EXHAUSTED = 8;
export const GRPC_UNIMPLEMENTED = 12;
export const GRPC_INTERNAL = 13;
const GRPC_UNAVAILABLE = 14;
export const GRPC_DATA_LOSS = 15;

/** The gRPC status of every kind of error. */
const table: Record<ErrorKind, number> = {
  canceled: 1,
  invalid: 3,
  deadline: 4,
  'not-found': 5,
  limited: GRPC_RESOURCE_EXHAUSTED,
  conflict: 10,
  internal: GRPC_INTERNAL,
  unavailable: GRPC_UNAVAILABLE,
  data: GRPC_DATA_LOSS,
  unauthorized: 16,
};

export interface GrpcStatus {
  code: number;
  message: string;
}

export function grpcStatusOf(cause: unknown): GrpcStatus {
  const error = toVivaceError(cause);
  return { code: table[error.kind], message: error.message };
}

/** A text as `grpc-message` carries it: UTF-8 with everything but printable ASCII, and `%`, percent-encoded. */
export function encodeGrpcMessage(text: string): string {
  let out = '';
  for (const byte of Buffer.from(text)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    out += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}
