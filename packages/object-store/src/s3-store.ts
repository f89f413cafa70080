import type {
  GetObjectCommandInput,
  GetObjectCommandOutput,
  ListObjectsV2CommandInput,
  PutObjectCommandInput,
  S3Client,
} from '@aws-sdk/client-s3';
import { type Clock, dataError, systemClock } from '@vivace/kernel';
import { checkKey, checkLimit, checkPrefix, checkRange, isKey } from './keys.ts';
import type { ByteRange, ObjectStore, StoredObject } from './object-store.ts';
import { createPrefixedStore } from './prefixed-store.ts';
import { oneBody, readS3Body } from './s3-body.ts';
import { createS3Calls, dateHeaderMs, type S3Calls } from './s3-calls.ts';
import { s3Headers, s3Status } from './s3-errors.ts';
import { beginS3Upload, endS3Uploads } from './s3-upload.ts';
import { rangeNotSatisfiable } from './store-errors.ts';

export interface S3StoreOptions {
  bucket: string;
  /** A folder of the bucket to stay in. Default: the whole bucket. */
  prefix?: string;
  /** URL of a store other than AWS. */
  endpoint?: string;
  /** Default: the environment's or profile's; `us-east-1` with an endpoint. */
  region?: string;
  /** The bucket in the path instead of the host name, as most stores other than AWS need. Default: with an endpoint. */
  forcePathStyle?: boolean;
  /** Default: the SDK's chain of environment, profiles, web identity, container and instance roles. */
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  /** Connections at a time; more calls wait for one. Default 64. */
  maxSockets?: number;
  /** Until a connection stands, waiting for a free one included. Default 10 s. */
  connectionTimeoutMs?: number;
  /** Of a whole call with its body. Default 60 s: a block of 10 MB at 2 Mbit/s. */
  requestTimeoutMs?: number;
  /** A larger object is refused before memory is taken for it. Default 1 GiB. */
  maxGetBytes?: number;
  clock?: Clock;
}

export interface S3Store extends ObjectStore {
  /** Closes the connections. */
  close(): Promise<void>;
}

/**
 * An object store in a bucket that speaks S3 and has conditional writes. Nothing is retried here: whether a
 * put may be sent again is for the caller to know. The SDK is loaded by the first call of this function.
 */
export async function createS3Store(options: S3StoreOptions): Promise<S3Store> {
  const sdk = await import('@aws-sdk/client-s3');
  const { bucket, clock = systemClock, requestTimeoutMs = 60_000 } = options;
  const client = createClient(sdk, options);
  const calls = createS3Calls({ client, bucket, clock, timeoutMs: requestTimeoutMs });
  const store = createPrefixedStore(bucketStore(sdk, client, calls, options), options.prefix ?? '');
  return { ...store, close: async () => client.destroy() };
}

type Sdk = typeof import('@aws-sdk/client-s3');

function createClient(sdk: Sdk, options: S3StoreOptions): S3Client {
  const { endpoint, credentials, maxSockets = 64, connectionTimeoutMs = 10_000 } = options;
  const environment = process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'];
  const region = options.region ?? environment ?? (endpoint === undefined ? undefined : 'us-east-1');
  const agent = { keepAlive: true, maxSockets };
  return new sdk.S3Client({
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    forcePathStyle: options.forcePathStyle ?? endpoint !== undefined,
    maxAttempts: 1,
    // Default checksums cost a third of a read's CPU and are unknown to many stores; our formats have their own.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // It would open a new connection for each large put.
    expectContinueHeader: false,
    requestHandler: { httpAgent: agent, httpsAgent: agent, connectionTimeout: connectionTimeoutMs },
  });
}

function bucketStore(
  sdk: Sdk,
  client: S3Client,
  calls: S3Calls,
  { bucket, maxGetBytes = 2 ** 30 }: S3StoreOptions,
): ObjectStore {
  return {
    async get(key, { range, ifNoneMatch, signal } = {}) {
      checkKey(key);
      checkRange(key, range);
      const input: GetObjectCommandInput = { Bucket: bucket, Key: key };
      if (range) input.Range = `bytes=${range.offset}-${range.offset + range.length - 1}`;
      if (ifNoneMatch !== undefined) input.IfNoneMatch = ifNoneMatch;
      return calls.run('get', key, signal, async (abortSignal) => {
        let output: GetObjectCommandOutput;
        try {
          output = await client.send(new sdk.GetObjectCommand(input), { abortSignal });
        } catch (error) {
          // The SDK takes an answer without a body for a failure.
          if (ifNoneMatch !== undefined && s3Status(error) === 304) return notModified(key, ifNoneMatch, error);
          throw error;
        }
        const body = output.Body as AsyncIterable<Uint8Array> & { destroy(): void };
        try {
          const size = range ? wholeSize(key, range, output.ContentRange) : required(output.ContentLength, key);
          const length = range ? range.length : size;
          if (length > maxGetBytes) throw dataError('store-answer', `an object of ${size} bytes is too large: ${key}`);
          const info = { key, size, ...described(key, output), storeTimeMs: calls.storeTimeMs(output) };
          return { ...info, bytes: await readS3Body(body, length, key), notModified: false };
        } catch (error) {
          // Else the connection would wait for a reader for ever.
          body.destroy();
          throw error;
        }
      });
    },

    async put(key, body, { only, signal } = {}) {
      checkKey(key);
      const input: PutObjectCommandInput = { Bucket: bucket, Key: key, Body: oneBody(body) };
      if (only === 'absent') input.IfNoneMatch = '*';
      else if (only) input.IfMatch = only.etag;
      return calls.run('put', key, signal, async (abortSignal) => {
        const output = await client.send(new sdk.PutObjectCommand(input), { abortSignal });
        return { etag: required(output.ETag, key), storeTimeMs: calls.storeTimeMs(output) };
      });
    },

    async delete(key, { signal } = {}) {
      checkKey(key);
      await calls.run('delete', key, signal, async (abortSignal) => {
        try {
          await client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: key }), { abortSignal });
        } catch (error) {
          // Some stores say so; a bucket that is gone has the same status and another name.
          if (!(error instanceof Error && error.name === 'NoSuchKey')) throw error;
        }
      });
    },

    async head(key, { signal } = {}) {
      checkKey(key);
      return calls.run('head', key, signal, async (abortSignal) => {
        const output = await client.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key: key }), { abortSignal });
        const size = required(output.ContentLength, key);
        return { key, size, ...described(key, output), storeTimeMs: calls.storeTimeMs(output) };
      });
    },

    async list(prefix, { after, limit, signal } = {}) {
      checkPrefix(prefix);
      const input: ListObjectsV2CommandInput = { Bucket: bucket, Prefix: prefix, MaxKeys: checkLimit(limit) };
      if (after) input.StartAfter = after;
      return calls.run('list', prefix, signal, async (abortSignal) => {
        const output = await client.send(new sdk.ListObjectsV2Command(input), { abortSignal });
        const contents = output.Contents ?? [];
        const last = contents.at(-1)?.Key;
        if (output.IsTruncated && last === undefined) {
          throw dataError('store-answer', `the store lists no key and says that more follow: ${prefix}`);
        }
        const objects = contents.flatMap(({ Key: key, Size, ETag, LastModified }) =>
          // What is no key of ours is somebody else's.
          key !== undefined && isKey(key)
            ? [{ key, size: required(Size, key), ...described(key, { ETag, LastModified }) }]
            : [],
        );
        return { objects, next: output.IsTruncated ? last : undefined, storeTimeMs: calls.storeTimeMs(output) };
      });
    },

    beginUpload: (key, options) => beginS3Upload(key, options, { sdk, client, calls, bucket }),
    endUploads: (prefix, options) => endS3Uploads(prefix, options, { sdk, client, calls, bucket }),
  };
}

function notModified(key: string, etag: string, error: unknown): StoredObject {
  const headers = s3Headers(error);
  const storeTimeMs = dateHeaderMs(headers['date']);
  const lastModifiedMs = Date.parse(headers['last-modified'] ?? '');
  return {
    key,
    size: 0,
    etag,
    // Not every store repeats it; what has no age must not look old.
    lastModifiedMs: Number.isNaN(lastModifiedMs) ? storeTimeMs : lastModifiedMs,
    storeTimeMs,
    bytes: new Uint8Array(0),
    notModified: true,
  };
}

/** The size of the object from `bytes 0-9/100`; throws when the answer is not the range asked for. */
function wholeSize(key: string, range: ByteRange, header: string | undefined): number {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(header ?? '');
  if (!match) throw dataError('store-answer', `the store ignores ranges or does not say which it gives: ${key}`);
  const [first, last, size] = [Number(match[1]), Number(match[2]), Number(match[3])];
  if (range.offset + range.length > size) throw rangeNotSatisfiable(key, range);
  if (first !== range.offset || last !== range.offset + range.length - 1) {
    throw dataError('store-answer', `the store gives another range than asked for: ${key}`);
  }
  return size;
}

function described(key: string, answer: { ETag?: string | undefined; LastModified?: Date | undefined }) {
  return { etag: required(answer.ETag, key), lastModifiedMs: required(answer.LastModified, key).getTime() };
}

function required<T>(value: T | undefined, key: string): T {
  if (value === undefined) throw dataError('store-answer', `the store's answer lacks what S3 has there: ${key}`);
  return value;
}
