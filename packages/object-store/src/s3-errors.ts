import { type ErrorKind, systemErrorCode, VivaceError } from '@vivace/kernel';
import { objectNotFound, preconditionFailed, rangeNotSatisfiable } from './store-errors.ts';

/** What was asked when an error came. */
export interface S3Request {
  bucket: string;
  /** A key, or a prefix for lists. */
  key: string;
  operation: 'get' | 'put' | 'delete' | 'head' | 'list' | 'upload';
}

/** The parts of an SDK error that tell what happened; all come from outside. */
interface S3Failure {
  /** S3's own code, `UnknownError` and the like where there was no body, or the SDK's name for the trouble. */
  name: string;
  status: number | undefined;
  headers: Record<string, string | undefined>;
}

/** The least wait where a store does not say how long: who tries again doubles its own on top. */
const SLOW_DOWN_MS = 200;

/** Answers that are wrong in the request or the settings and stay so, with the remedy. */
const refusals: Record<string, [kind: ErrorKind, code: string, message: string]> = {
  NoSuchBucket: ['unavailable', 'bucket-missing', 'the bucket does not exist: create it or correct its name'],
  InvalidBucketName: ['invalid', 'bucket-name', 'not a name of a bucket: correct it'],
  PermanentRedirect: ['invalid', 'bucket-region', 'the bucket is elsewhere: correct the region or the endpoint'],
  AuthorizationHeaderMalformed: ['invalid', 'bucket-region', 'the store expects another region: correct it'],
  IllegalLocationConstraintException: ['invalid', 'bucket-region', 'the bucket is elsewhere: correct the region'],
  AccessDenied: [
    'unauthorized',
    'access-denied',
    'the store denies access: grant s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket',
  ],
  AllAccessDisabled: ['unauthorized', 'access-denied', 'the store denies all access to the bucket: ask its owner'],
  InvalidAccessKeyId: ['unauthorized', 'credentials-rejected', 'the store does not know the access key: correct it'],
  SignatureDoesNotMatch: [
    'unauthorized',
    'credentials-rejected',
    'the store rejects the signature: correct the secret key',
  ],
  ExpiredToken: ['unauthorized', 'credentials-rejected', 'the session token has expired: renew the credentials'],
  InvalidToken: ['unauthorized', 'credentials-rejected', 'the store rejects the session token: renew the credentials'],
  TokenRefreshRequired: ['unauthorized', 'credentials-rejected', 'the session token has expired: renew it'],
  RequestTimeTooSkewed: ['unauthorized', 'credentials-rejected', 'the clocks differ too much: set the clock here'],
  CredentialsProviderError: [
    'unauthorized',
    'credentials-missing',
    'no credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role',
  ],
  NoSuchUpload: ['conflict', 'upload-gone', 'the upload was given up meanwhile: begin it again'],
  NotImplemented: ['invalid', 'store-unsupported', 'the store lacks a part of S3 that is needed: use another'],
};

/** Translates whatever the SDK throws; the messages hold no header and no credential. */
export function s3Error(error: unknown, request: S3Request): VivaceError {
  if (error instanceof VivaceError) return error;
  const failure = failureOf(error);
  const { name, status } = failure;
  const where = `${request.bucket}/${request.key}`;
  const refusal = Object.hasOwn(refusals, name) ? refusals[name] : undefined;
  if (refusal) return new VivaceError(refusal[0], refusal[1], `${refusal[2]}, at ${where}`, { cause: error });
  switch (status) {
    case 304:
      return new VivaceError('data', 'store-answer', `the store answers 304 to what was no condition, at ${where}`);
    case 301:
    case 307:
      return s3Error(named('PermanentRedirect', error), request);
    case 401:
    case 403:
      return s3Error(named('AccessDenied', error), request);
    case 404:
      // On a put this says that there is no object with the ETag asked for.
      return request.operation === 'put' ? preconditionFailed(where, error) : objectNotFound(where, error);
    case 409:
      return new VivaceError('conflict', 'conditional-conflict', `another write of the object is under way: ${where}`, {
        cause: error,
      });
    case 412:
      return preconditionFailed(where, error);
    case 416:
      return rangeNotSatisfiable(where, undefined, error);
    case 501:
      return s3Error(named('NotImplemented', error), request);
    case undefined:
      if (error instanceof Error && /region is missing/i.test(error.message)) {
        return new VivaceError('invalid', 'bucket-region', 'no region: set it or AWS_REGION', { cause: error });
      }
      return noAnswer(error, name, where);
    default:
      return byStatus(failure, status, where, error);
  }
}

/** A failure that came before or instead of an answer. */
function noAnswer(error: unknown, name: string, where: string): VivaceError {
  const code = systemErrorCode(error) ?? name;
  return new VivaceError('unavailable', 'store-unreachable', `the store did not answer (${code}), at ${where}`, {
    cause: error,
  });
}

function byStatus({ name, headers }: S3Failure, status: number, where: string, cause: unknown): VivaceError {
  const retryAfterMs = retryAfter(headers['retry-after']);
  if (status === 429 || name === 'SlowDown' || name === 'TooManyRequests' || name === 'RequestLimitExceeded') {
    return new VivaceError('limited', 'store-slow-down', `the store asks for fewer requests, at ${where}`, {
      cause,
      retryAfterMs: retryAfterMs ?? SLOW_DOWN_MS,
    });
  }
  // S3 says 400 RequestTimeout when it waited too long for the body. A 2xx here is an answer cut short.
  if (status >= 500 || status < 300 || status === 408 || name === 'RequestTimeout') {
    const message = `the store failed (${status} ${name}), at ${where}`;
    return new VivaceError('unavailable', 'store-failed', message, retryAfterMs ? { cause, retryAfterMs } : { cause });
  }
  return new VivaceError('invalid', 'store-refused', `the store refuses the request (${status} ${name}), at ${where}`, {
    cause,
  });
}

function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,5}$/.test(header)) return undefined;
  return Number(header) * 1000;
}

function named(name: string, cause: unknown): Error {
  const error = new Error('', { cause });
  error.name = name;
  return error;
}

/** The status of an SDK error; undefined when there was no answer. */
export function s3Status(error: unknown): number | undefined {
  return failureOf(error).status;
}

/** The headers of the answer an SDK error was made from, in lower case. */
export function s3Headers(error: unknown): Record<string, string | undefined> {
  return failureOf(error).headers;
}

function failureOf(error: unknown): S3Failure {
  if (typeof error !== 'object' || error === null) return { name: 'UnknownError', status: undefined, headers: {} };
  const { name, $metadata, $response } = error as {
    name?: string;
    $metadata?: { httpStatusCode?: number };
    $response?: { statusCode?: number; headers?: Record<string, string> };
  };
  return {
    name: typeof name === 'string' && /^[A-Za-z0-9.]{1,64}$/.test(name) ? name : 'UnknownError',
    status: $response?.statusCode ?? $metadata?.httpStatusCode,
    headers: $response?.headers ?? {},
  };
}
