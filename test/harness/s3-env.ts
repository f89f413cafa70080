import type { S3Target } from '@vivace/object-store/testing';

/** The settings by which a server keeps its blocks in a bucket. */
export function s3Env(
  { bucket, region, credentials }: Pick<S3Target, 'bucket' | 'region' | 'credentials'>,
  { endpoint, prefix }: { endpoint: string; prefix?: string },
): Record<string, string> {
  return {
    VIVACE_STORAGE_TRACE_BACKEND: 's3',
    VIVACE_STORAGE_TRACE_S3_BUCKET: bucket,
    ...(prefix !== undefined && { VIVACE_STORAGE_TRACE_S3_PREFIX: prefix }),
    VIVACE_STORAGE_TRACE_S3_ENDPOINT: endpoint,
    VIVACE_STORAGE_TRACE_S3_REGION: region,
    VIVACE_STORAGE_TRACE_S3_FORCEPATHSTYLE: 'true',
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
}
