import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { S3Failure } from './s3-error.ts';

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
}

/** A request whose header signature is good; chunk signatures of its body continue from there. */
export interface VerifiedRequest {
  /** `x-amz-content-sha256` as sent and signed. */
  payload: string;
  /** The signature of a chunk of a streamed body, given the one before it. */
  chunkSignature(previous: string, chunk: Uint8Array): string;
  trailerSignature(previous: string, trailer: string): string;
  seed: string;
}

const MAX_SKEW_MS = 15 * 60_000;
const EMPTY_SHA256 = createHash('sha256').digest('hex');

/**
 * Verifies AWS Signature Version 4 in the `Authorization` header (AWS General Reference, "Signature Version 4
 * signing process"; for bodies, Amazon S3 API Reference, "Signature calculations … in multiple chunks").
 */
export function verifySignature(
  request: { method: string; path: string; query: string; headers: IncomingHttpHeaders; nowMs: number },
  credentials: S3Credentials,
): VerifiedRequest {
  const { headers } = request;
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    );
  if (!match) throw new S3Failure(403, 'AccessDenied', 'Access Denied');
  const [, accessKeyId, day, region, signedHeaders, signature] = match as unknown as string[];
  if (accessKeyId !== credentials.accessKeyId) {
    throw new S3Failure(403, 'InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.');
  }
  if (region !== credentials.region) {
    const message = `The authorization header is malformed; the region '${region}' is wrong; expecting '${credentials.region}'`;
    throw new S3Failure(400, 'AuthorizationHeaderMalformed', message);
  }
  const time = String(headers['x-amz-date'] ?? '');
  const payload = String(headers['x-amz-content-sha256'] ?? '');
  const names = (signedHeaders as string).split(';');
  const unsigned = Object.keys(headers).find((name) => name.startsWith('x-amz-') && !names.includes(name));
  if (!names.includes('host') || unsigned !== undefined || payload === '') {
    throw new S3Failure(403, 'AccessDenied', `There were headers present in the request which were not signed`);
  }
  checkTime(time, day as string, request.nowMs);

  const canonical = [
    request.method,
    request.path
      .split('/')
      .map((segment) => encode(decode(segment)))
      .join('/'),
    canonicalQuery(request.query),
    ...names.map(
      (name) =>
        `${name}:${String(headers[name] ?? '')
          .trim()
          .replace(/\s+/g, ' ')}`,
    ),
    '',
    signedHeaders,
    payload,
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const key = ['aws4_request', 's3', region as string, day as string].reduceRight(
    (secret: string | Buffer, part) => hmac(secret, part),
    `AWS4${credentials.secretAccessKey}`,
  );
  const sign = (algorithm: string, ...parts: string[]) =>
    hmac(key, [algorithm, time, scope, ...parts].join('\n')).toString('hex');

  if (!equal(sign('AWS4-HMAC-SHA256', sha256(canonical)), signature as string)) {
    throw signatureDoesNotMatch();
  }
  return {
    payload,
    seed: signature as string,
    chunkSignature: (previous, chunk) => sign('AWS4-HMAC-SHA256-PAYLOAD', previous, EMPTY_SHA256, sha256(chunk)),
    trailerSignature: (previous, trailer) => sign('AWS4-HMAC-SHA256-TRAILER', previous, sha256(trailer)),
  };
}

export function signatureDoesNotMatch(): S3Failure {
  const message = 'The request signature we calculated does not match the signature you provided.';
  return new S3Failure(403, 'SignatureDoesNotMatch', message);
}

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function checkTime(time: string, day: string, nowMs: number): void {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time);
  if (!match || !time.startsWith(day)) throw new S3Failure(403, 'AccessDenied', 'no valid x-amz-date');
  const [year, month, date, hour, minute, second] = match.slice(1).map(Number) as [number, ...number[]];
  const sentMs = Date.UTC(year, (month as number) - 1, date, hour, minute, second);
  if (Math.abs(sentMs - nowMs) > MAX_SKEW_MS) {
    const message = 'The difference between the request time and the current time is too large.';
    throw new S3Failure(403, 'RequestTimeTooSkewed', message);
  }
}

function canonicalQuery(query: string): string {
  if (query === '') return '';
  const pairs = query.split('&').map((pair) => {
    const equals = pair.indexOf('=');
    const [name, value] = equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
    return `${encode(decode(name))}=${encode(decode(value))}`;
  });
  return pairs.sort().join('&');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Failure(400, 'InvalidURI', "Couldn't parse the specified URI.");
  }
}

/** Everything but the unreserved characters of RFC 3986. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

export function equal(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
