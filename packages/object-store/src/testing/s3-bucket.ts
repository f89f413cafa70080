import { createHash, randomUUID } from 'node:crypto';
import { S3Failure } from './s3-error.ts';

export interface S3Object {
  bytes: Buffer;
  etag: string;
  lastModifiedMs: number;
}

/** `If-Match` and `If-None-Match` of a write, and what to compare them with. */
export interface S3Condition {
  ifMatch: string | undefined;
  ifNoneMatch: string | undefined;
  /** `deletions` of the bucket for the key when the request began. */
  deletionsBefore: number;
}

/** The objects of a bucket in memory, with the conditional writes and the multipart uploads of S3. */
export interface S3Bucket {
  readonly objects: Map<string, S3Object>;
  /** How often the key has been deleted: a condition cannot be decided across a delete, which S3 answers with 409. */
  deletions(key: string): number;
  put(key: string, bytes: Buffer, condition: S3Condition | undefined, etag?: string): S3Object;
  delete(key: string): void;
  /** The keys that start with `prefix` in UTF-8 byte order. */
  keys(prefix: string): string[];
  beginUpload(key: string): string;
  putPart(upload: string, number: number, bytes: Buffer): string;
  completeUpload(
    upload: string,
    key: string,
    parts: readonly { number: number; etag: string }[],
    condition: S3Condition | undefined,
  ): S3Object;
  abortUpload(upload: string): void;
  /** Uploads that were begun and not completed. */
  readonly uploads: ReadonlyMap<string, { key: string; initiatedMs: number }>;
}

interface S3Upload {
  key: string;
  initiatedMs: number;
  parts: Map<number, { bytes: Buffer; etag: string }>;
}

const PART_MIN_BYTES = 5 * 1024 * 1024;

export function createS3Bucket(nowMs: () => number): S3Bucket {
  const objects = new Map<string, S3Object>();
  const deleted = new Map<string, number>();
  const uploads = new Map<string, S3Upload>();
  let sorted: string[] | undefined;

  const uploadOf = (id: string) => {
    const upload = uploads.get(id);
    if (!upload) throw new S3Failure(404, 'NoSuchUpload', 'The specified upload does not exist.');
    return upload;
  };

  const bucket: S3Bucket = {
    objects,
    uploads,
    deletions: (key) => deleted.get(key) ?? 0,
    put(key, bytes, condition, etag = `"${md5(bytes)}"`) {
      if (condition) check(key, condition);
      const object = { bytes, etag, lastModifiedMs: nowMs() };
      if (!objects.has(key)) sorted = undefined;
      objects.set(key, object);
      return object;
    },
    delete(key) {
      if (!objects.delete(key)) return;
      sorted = undefined;
      deleted.set(key, bucket.deletions(key) + 1);
    },
    keys(prefix) {
      sorted ??= [...objects.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      return sorted.filter((key) => key.startsWith(prefix));
    },
    beginUpload(key) {
      const id = randomUUID();
      uploads.set(id, { key, initiatedMs: nowMs(), parts: new Map() });
      return id;
    },
    putPart(id, number, bytes) {
      const etag = `"${md5(bytes)}"`;
      uploadOf(id).parts.set(number, { bytes, etag });
      return etag;
    },
    completeUpload(id, key, listed, condition) {
      const upload = uploadOf(id);
      const chosen = listed.map(({ number, etag }) => {
        const part = upload.parts.get(number);
        if (upload.key !== key || !part || part.etag.replaceAll('"', '') !== etag.replaceAll('"', '')) {
          throw new S3Failure(400, 'InvalidPart', 'One or more of the specified parts could not be found.');
        }
        return part;
      });
      if (listed.some(({ number }, i) => i > 0 && number <= (listed[i - 1]?.number ?? 0))) {
        throw new S3Failure(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.');
      }
      if (chosen.slice(0, -1).some(({ bytes }) => bytes.length < PART_MIN_BYTES)) {
        throw new S3Failure(400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size');
      }
      const hashes = Buffer.concat(chosen.map(({ etag }) => Buffer.from(etag.replaceAll('"', ''), 'hex')));
      const etag = `"${md5(hashes)}-${chosen.length}"`;
      const object = bucket.put(key, Buffer.concat(chosen.map(({ bytes }) => bytes)), condition, etag);
      uploads.delete(id);
      return object;
    },
    abortUpload(id) {
      uploadOf(id);
      uploads.delete(id);
    },
  };

  const check = (key: string, { ifMatch, ifNoneMatch, deletionsBefore }: S3Condition) => {
    if (ifMatch === undefined && ifNoneMatch === undefined) return;
    if (bucket.deletions(key) !== deletionsBefore) {
      const message = 'The conditional request cannot succeed due to a conflicting operation against this resource.';
      throw new S3Failure(409, 'ConditionalRequestConflict', message);
    }
    if (ifNoneMatch !== undefined && ifNoneMatch !== '*') {
      throw new S3Failure(501, 'NotImplemented', 'A header you provided implies functionality that is not implemented');
    }
    const present = objects.get(key);
    if (ifMatch !== undefined && !present) throw noSuchKey();
    const failed = ifMatch === undefined ? present !== undefined : !etagMatches(ifMatch, present?.etag);
    if (failed) throw preconditionFailed();
  };
  return bucket;
}

export function etagMatches(condition: string, etag: string | undefined): boolean {
  if (etag === undefined) return false;
  return condition === '*' || condition.replaceAll('"', '') === etag.replaceAll('"', '');
}

export function noSuchKey(): S3Failure {
  return new S3Failure(404, 'NoSuchKey', 'The specified key does not exist.');
}

export function preconditionFailed(): S3Failure {
  const message = 'At least one of the pre-conditions you specified did not hold';
  return new S3Failure(412, 'PreconditionFailed', message);
}

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex');
}
