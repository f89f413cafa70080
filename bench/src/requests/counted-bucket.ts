import { type S3Server, startS3Server } from '@vivace/object-store/testing';

/** What a bill tells apart. Deletes cost nothing. */
export interface RequestCounts {
  /** PUT and POST. */
  put: number;
  list: number;
  /** GET and HEAD. */
  get: number;
}

/** What requests are for, by the first part of their key. */
type Purpose = 'log' | 'claims' | 'data';

/** A bucket in this process that counts what is asked of it, by purpose, and answers writes as late as S3 does. */
export interface CountedBucket {
  env: Record<string, string>;
  /** Requests so far. */
  counts(): Record<Purpose, RequestCounts>;
  close(): Promise<void>;
}

const BUCKET = 'vivace';

export async function startCountedBucket(putLatencyMs: number): Promise<CountedBucket> {
  const counts: Record<Purpose, RequestCounts> = { log: zero(), claims: zero(), data: zero() };
  const server: S3Server = await startS3Server({
    buckets: [BUCKET],
    fault: ({ method, key }) => {
      // The key of a list is empty; what it lists stands in its parameters. All but those of the log are few.
      const of = counts[purposeOf(key)];
      const isWrite = method === 'PUT' || method === 'POST';
      if (isWrite) of.put++;
      else if (key === '' && method === 'GET') of.list++;
      else if (method === 'GET' || method === 'HEAD') of.get++;
      return isWrite && putLatencyMs > 0 ? { kind: 'delay', delayMs: putLatencyMs } : undefined;
    },
  });
  return {
    env: {
      AWS_ACCESS_KEY_ID: server.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
      VIVACE_STORAGE_TRACE_BACKEND: 's3',
      VIVACE_STORAGE_TRACE_S3_BUCKET: BUCKET,
      VIVACE_STORAGE_TRACE_S3_ENDPOINT: server.endpoint,
      VIVACE_STORAGE_TRACE_S3_REGION: server.region,
      VIVACE_STORAGE_TRACE_S3_FORCEPATHSTYLE: 'true',
    },
    counts: () => structuredClone(counts),
    close: () => server.close(),
  };
}

function purposeOf(key: string): Purpose {
  if (key.startsWith('wal/') || key.startsWith('streams/')) return 'log';
  return key.startsWith('claims/') ? 'claims' : 'data';
}

function zero(): RequestCounts {
  return { put: 0, list: 0, get: 0 };
}

/** Requests between two moments, each divided by `per`. */
export function between(before: RequestCounts, after: RequestCounts, per = 1): RequestCounts {
  const share = (name: keyof RequestCounts) => Number(((after[name] - before[name]) / per).toFixed(4));
  return { put: share('put'), list: share('list'), get: share('get') };
}
