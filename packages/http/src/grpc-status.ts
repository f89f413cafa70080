import { type ErrorKind, toVivaceError, VivaceError } from '@vivace/kernel';

/** The status codes of gRPC that this side sends. */
export const GRPC_OK = 0;
const GRPC_RESOURCE_EXHAUSTED = 8;
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

/**
 * What a status means that comes without the trailers of `grpcErrorTrailers`, from a proxy or a foreign server; one
 * entry for each code that gRPC has (grpc.github.io/grpc/core/md_doc_statuscodes.html).
 */
const kinds: readonly ErrorKind[] = [
  // A call that ends well without a message.
  'internal',
  'canceled',
  'internal',
  'invalid',
  'deadline',
  'not-found',
  'conflict',
  'unauthorized',
  'limited',
  'invalid',
  'conflict',
  'invalid',
  // Another version of the server, or another server: one that can may answer next.
  'unavailable',
  'internal',
  'unavailable',
  'data',
  'unauthorized',
];

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

/** The text of a `grpc-message`; what is no escape stays as it is. */
export function decodeGrpcMessage(text: string): string {
  const bytes = text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

const KIND = 'vivace-error-kind';
const CODE = 'vivace-error-code';
const RETRY = 'vivace-retry-after-ms';

/** What the status cannot say of an error, for callers that are processes of ours. */
export function grpcErrorTrailers(cause: unknown): Map<string, string> {
  const { kind, code, retryAfterMs } = toVivaceError(cause);
  const trailers = new Map([
    [KIND, kind],
    [CODE, code],
  ]);
  if (retryAfterMs !== undefined) trailers.set(RETRY, String(Math.ceil(retryAfterMs)));
  return trailers;
}

/** The error that headers with a status other than OK tell of. Nothing in them is believed that is not well formed. */
export function errorOfGrpcTrailers(headers: GrpcErrorTrailers): VivaceError {
  const status = headers['grpc-status'];
  const number = typeof status === 'string' && /^[0-9]{1,2}$/.test(status) ? Number(status) : 2;
  const message = headers['grpc-message'];
  const text = typeof message === 'string' ? decodeGrpcMessage(message).slice(0, MAX_TEXT) : `gRPC status ${number}`;
  const said = headers[KIND];
  const kind = isErrorKind(said) ? said : (kinds[number] ?? 'internal');
  const given = headers[CODE];
  const code = typeof given === 'string' && /^[a-z0-9-]{1,64}$/.test(given) ? given : 'grpc-status';
  const retry = headers[RETRY];
  const retryAfterMs = typeof retry === 'string' && /^[0-9]{1,9}$/.test(retry) ? Number(retry) : undefined;
  return new VivaceError(kind, code, text, retryAfterMs === undefined ? {} : { retryAfterMs });
}

/** Of an answer as node:http2 gives it. */
export type GrpcErrorTrailers = Readonly<Record<string, string | string[] | undefined>>;

const MAX_TEXT = 4096;

export function isErrorKind(text: unknown): text is ErrorKind {
  return typeof text === 'string' && Object.hasOwn(table, text);
}
