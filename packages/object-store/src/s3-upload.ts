import type { ListMultipartUploadsCommandInput, S3Client } from '@aws-sdk/client-s3';
import { dataError, isKind } from '@vivace/kernel';
import { checkKey, checkPrefix } from './keys.ts';
import type { CallOptions, EndUploadsOptions, PutResult, Upload } from './object-store.ts';
import { oneBody } from './s3-body.ts';
import type { S3Calls } from './s3-calls.ts';

/** Multipart uploads: an object of up to 10,000 pieces. */
export interface S3Uploads {
  sdk: typeof import('@aws-sdk/client-s3');
  client: S3Client;
  calls: S3Calls;
  bucket: string;
}

const MAX_PAGES = 1000;

export async function beginS3Upload(key: string, options: CallOptions = {}, s3: S3Uploads): Promise<Upload> {
  checkKey(key);
  const { sdk, client, calls, bucket } = s3;
  const place = { Bucket: bucket, Key: key };
  const uploadId = await calls.run('upload', key, options.signal, async (abortSignal) => {
    const { UploadId } = await client.send(new sdk.CreateMultipartUploadCommand(place), { abortSignal });
    return known(UploadId, key);
  });
  const etags: string[] = [];
  let bytes = 0;
  const sizes: number[] = [];

  const complete = (signal: AbortSignal | undefined): Promise<PutResult> =>
    calls.run('upload', key, signal, async (abortSignal) => {
      const Parts = etags.map((ETag, i) => ({ ETag, PartNumber: i + 1 }));
      const input = { ...place, UploadId: uploadId, MultipartUpload: { Parts } };
      const output = await client.send(new sdk.CompleteMultipartUploadCommand(input), { abortSignal });
      return { etag: known(output.ETag, key), storeTimeMs: calls.storeTimeMs(output) };
    });
  /** An upload that is gone may be so because it was completed, and the answer got lost. */
  const findCompleted = (signal: AbortSignal | undefined): Promise<PutResult | undefined> =>
    calls.run('head', key, signal, async (abortSignal) => {
      const output = await client.send(new sdk.HeadObjectCommand(place), { abortSignal });
      if (output.ContentLength !== bytes) return undefined;
      return { etag: known(output.ETag, key), storeTimeMs: calls.storeTimeMs(output) };
    });

  return {
    add: (number, body, { signal } = {}) =>
      calls.run('upload', key, signal, async (abortSignal) => {
        const Body = oneBody(body);
        const input = { ...place, UploadId: uploadId, PartNumber: number, Body };
        const { ETag } = await client.send(new sdk.UploadPartCommand(input), { abortSignal });
        etags[number - 1] = known(ETag, key);
        bytes += Body.length - (sizes[number - 1] ?? 0);
        sizes[number - 1] = Body.length;
      }),
    complete: async ({ signal } = {}) => {
      try {
        return await complete(signal);
      } catch (error) {
        if (!isKind(error, 'conflict') || error.code !== 'upload-gone') throw error;
        const found = await findCompleted(signal).catch((reason: unknown) => {
          if (isKind(reason, 'not-found')) return undefined;
          throw reason;
        });
        if (found === undefined) throw error;
        return found;
      }
    },
    abort: async ({ signal } = {}) => {
      await abort(key, uploadId, signal, s3);
    },
  };
}

/** Some stores list only the uploads of one key, given as the prefix: those end old uploads by themselves. */
export async function endS3Uploads(prefix: string, options: EndUploadsOptions, s3: S3Uploads): Promise<number> {
  checkPrefix(prefix);
  const { sdk, client, calls, bucket } = s3;
  const { minAgeMs, signal } = options;
  let ended = 0;
  let after: Pick<ListMultipartUploadsCommandInput, 'KeyMarker' | 'UploadIdMarker'> = {};
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const input = { Bucket: bucket, Prefix: prefix, ...after };
    const page = await calls.run('list', prefix, signal, async (abortSignal) => {
      const output = await client.send(new sdk.ListMultipartUploadsCommand(input), { abortSignal });
      return { output, storeTimeMs: calls.storeTimeMs(output) };
    });
    const { output, storeTimeMs } = page;
    for (const { Key, UploadId, Initiated } of output.Uploads ?? []) {
      if (Key === undefined || UploadId === undefined || Initiated === undefined) continue;
      if (storeTimeMs - Initiated.getTime() < minAgeMs) continue;
      await abort(Key, UploadId, signal, s3);
      ended++;
    }
    if (!output.IsTruncated || output.NextKeyMarker === undefined) break;
    after = { KeyMarker: output.NextKeyMarker, UploadIdMarker: output.NextUploadIdMarker };
  }
  return ended;
}

async function abort(
  key: string,
  uploadId: string,
  signal: AbortSignal | undefined,
  { sdk, client, calls, bucket }: S3Uploads,
): Promise<void> {
  try {
    await calls.run('upload', key, signal, async (abortSignal) => {
      const input = { Bucket: bucket, Key: key, UploadId: uploadId };
      await client.send(new sdk.AbortMultipartUploadCommand(input), { abortSignal });
    });
  } catch (error) {
    // Completed, or given up before.
    if (!isKind(error, 'conflict') || error.code !== 'upload-gone') throw error;
  }
}

function known(value: string | undefined, key: string): string {
  if (value === undefined) throw dataError('store-answer', `the store's answer lacks what S3 has there: ${key}`);
  return value;
}
