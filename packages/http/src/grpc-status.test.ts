import { type ErrorKind, VivaceError } from '@vivace/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeGrpcMessage,
  encodeGrpcMessage,
  errorOfGrpcTrailers,
  grpcErrorTrailers,
  grpcStatusOf,
} from './grpc-status.ts';

const KINDS: ErrorKind[] = [
  'invalid',
  'unauthorized',
  'not-found',
  'conflict',
  'limited',
  'unavailable',
  'deadline',
  'canceled',
  'data',
  'internal',
];

/** An error as it comes out at the other side. */
function carried(error: VivaceError, withTrailers = true): VivaceError {
  const { code, message } = grpcStatusOf(error);
  return errorOfGrpcTrailers({
    'grpc-status': String(code),
    'grpc-message': encodeGrpcMessage(message),
    ...(withTrailers ? Object.fromEntries(grpcErrorTrailers(error)) : {}),
  });
}

describe('errors as gRPC carries them', () => {
  test.each(KINDS)('kind, code, message and time to retry of %s come back', (kind) => {
    for (const details of [{}, { retryAfterMs: 1500 }]) {
      const { code, message, retryAfterMs, ...rest } = carried(new VivaceError(kind, 'why-not', 'né: 100 %', details));
      expect({ kind: rest.kind, code, message, retryAfterMs }).toEqual({
        kind,
        code: 'why-not',
        message: 'né: 100 %',
        retryAfterMs: details.retryAfterMs,
      });
    }
  });

  test.each(KINDS)('the status alone says %s', (kind) => {
    expect(carried(new VivaceError(kind, 'why', 'text'), false).kind).toBe(kind);
  });

  test('every status of gRPC is a kind, and what is none is a defect', () => {
    const kinds = Array.from({ length: 17 }, (_, i) => errorOfGrpcTrailers({ 'grpc-status': String(i) }).kind);
    expect(kinds).toMatchInlineSnapshot(`
      [
        "internal",
        "canceled",
        "internal",
        "invalid",
        "deadline",
        "not-found",
        "conflict",
        "unauthorized",
        "limited",
        "invalid",
        "conflict",
        "invalid",
        "unavailable",
        "internal",
        "unavailable",
        "data",
        "unauthorized",
      ]
    `);
    for (const status of ['99', '-1', '', 'x', '4294967296', undefined]) {
      expect(errorOfGrpcTrailers({ 'grpc-status': status }).kind).toBe('internal');
    }
  });

  test('trailers that are not well formed are not believed', () => {
    const error = errorOfGrpcTrailers({
      'grpc-status': '14',
      'vivace-error-kind': 'toString',
      'vivace-error-code': 'A B',
      'vivace-retry-after-ms': '1e9',
    });
    expect([error.kind, error.code, error.retryAfterMs]).toEqual(['unavailable', 'grpc-status', undefined]);
  });

  test('any text comes back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decodeGrpcMessage(encodeGrpcMessage(text))).toBe(text);
      }),
    );
  });
});
