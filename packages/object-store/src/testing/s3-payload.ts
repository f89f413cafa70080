import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { crc32 } from 'node:zlib';
import { S3Failure } from './s3-error.ts';
import { equal, sha256, signatureDoesNotMatch, type VerifiedRequest } from './s3-signature.ts';

/**
 * The object in a body as it came: checked against the signed hash, or taken out of its `aws-chunked` frames
 * with their signatures, and checked against the checksums sent along.
 */
export function decodePayload(raw: Buffer, headers: IncomingHttpHeaders, request: VerifiedRequest): Buffer {
  const checksums = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) checksums.set(name, String(value));
  const content = request.payload.startsWith('STREAMING-') ? dechunk(raw, request, checksums) : raw;
  if (request.payload !== 'UNSIGNED-PAYLOAD' && !request.payload.startsWith('STREAMING-')) {
    if (!equal(sha256(raw), request.payload)) {
      const message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
      throw new S3Failure(400, 'XAmzContentSHA256Mismatch', message);
    }
  }
  const declared = headers['x-amz-decoded-content-length'];
  if (declared !== undefined && Number(declared) !== content.length) {
    throw new S3Failure(400, 'IncompleteBody', 'The request body terminated unexpectedly');
  }
  const expect = (name: string, compute: () => string) => {
    const sent = checksums.get(name);
    if (sent !== undefined && sent !== compute()) {
      throw new S3Failure(400, 'BadDigest', `The ${name} you specified did not match the calculated checksum.`);
    }
  };
  expect('content-md5', () => digest('md5', content));
  expect('x-amz-checksum-sha1', () => digest('sha1', content));
  expect('x-amz-checksum-sha256', () => digest('sha256', content));
  expect('x-amz-checksum-crc32', () => {
    const out = Buffer.alloc(4);
    out.writeUInt32BE(crc32(content));
    return out.toString('base64');
  });
  return content;
}

function digest(algorithm: string, content: Uint8Array): string {
  return createHash(algorithm).update(content).digest('base64');
}

/** Frames of `<hex length>[;chunk-signature=…]\r\n<bytes>\r\n`, one of length 0, then trailing headers. */
function dechunk(raw: Buffer, request: VerifiedRequest, checksums: Map<string, string>): Buffer {
  const signed = request.payload.startsWith('STREAMING-AWS4-HMAC-SHA256-PAYLOAD');
  if (!signed && request.payload !== 'STREAMING-UNSIGNED-PAYLOAD-TRAILER') {
    throw new S3Failure(501, 'NotImplemented', `payload ${request.payload}`);
  }
  const chunks: Buffer[] = [];
  let signature = request.seed;
  let at = 0;
  const line = (): string => {
    const end = raw.indexOf('\r\n', at);
    if (end < 0) throw incomplete();
    const text = raw.toString('latin1', at, end);
    at = end + 2;
    return text;
  };
  for (;;) {
    const match = /^([0-9a-fA-F]{1,8})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line());
    if (!match) throw incomplete();
    const length = Number.parseInt(match[1] as string, 16);
    if (at + length > raw.length) throw incomplete();
    const chunk = raw.subarray(at, at + length);
    if (signed) {
      signature = request.chunkSignature(signature, chunk);
      if (!equal(signature, match[2] ?? '')) throw signatureDoesNotMatch();
    }
    if (length === 0) break;
    chunks.push(chunk);
    at += length;
    if (line() !== '') throw incomplete();
  }
  let trailer = '';
  while (at < raw.length) {
    const text = line();
    if (text === '') continue;
    const colon = text.indexOf(':');
    const [name, value] = [text.slice(0, colon).toLowerCase(), text.slice(colon + 1).trim()];
    if (name === 'x-amz-trailer-signature') {
      if (!equal(request.trailerSignature(signature, trailer), value)) throw signatureDoesNotMatch();
      continue;
    }
    trailer += `${name}:${value}\n`;
    checksums.set(name, value);
  }
  return Buffer.concat(chunks);
}

function incomplete(): S3Failure {
  return new S3Failure(400, 'IncompleteBody', 'The request body is not a sequence of chunks');
}
