import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { startS3Server } from './s3-server.ts';

/** A running S3 store with an empty bucket, for tests that need a real one. */
export interface S3Target {
  name: 'minio' | 'embedded';
  endpoint: string;
  region: string;
  bucket: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
  close(): Promise<void>;
}

const MINIO_IMAGE = 'minio/minio:RELEASE.2025-09-07T16-13-09Z';
const BUCKET = 'vivace';

/** MinIO in a container where a Docker engine answers, else the embedded server; says which on the console. */
export async function startS3Target(): Promise<S3Target> {
  const target = (await dockerAnswers()) ? await startMinio() : await startEmbedded();
  console.log(`S3 tests run against: ${target.name} (${target.endpoint})`);
  return target;
}

async function startEmbedded(): Promise<S3Target> {
  const server = await startS3Server({ buckets: [BUCKET] });
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  return {
    name: 'embedded',
    endpoint,
    region,
    bucket: BUCKET,
    credentials: { accessKeyId, secretAccessKey },
    close: () => server.close(),
  };
}

/** The client alone is no sign: only an engine answers `docker info` with success. */
async function dockerAnswers(): Promise<boolean> {
  try {
    await promisify(execFile)('docker', ['info'], { timeout: 3000 });
    return true;
  } catch {
    return false;
  }
}

async function startMinio(): Promise<S3Target> {
  const { GenericContainer, Wait } = await import('testcontainers');
  const credentials = { accessKeyId: 'vivace-test', secretAccessKey: 'vivace-test-secret' };
  const container = await new GenericContainer(MINIO_IMAGE)
    .withCommand(['server', '/data'])
    .withEnvironment({ MINIO_ROOT_USER: credentials.accessKeyId, MINIO_ROOT_PASSWORD: credentials.secretAccessKey })
    .withExposedPorts(9000)
    .withWaitStrategy(Wait.forHttp('/minio/health/ready', 9000))
    .start();
  const endpoint = `http://${container.getHost()}:${container.getMappedPort(9000)}`;
  const region = 'us-east-1';
  const { CreateBucketCommand, S3Client } = await import('@aws-sdk/client-s3');
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  client.destroy();
  return {
    name: 'minio',
    endpoint,
    region,
    bucket: BUCKET,
    credentials,
    close: async () => {
      await container.stop();
    },
  };
}
