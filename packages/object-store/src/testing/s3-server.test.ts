import { spawn } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type S3Server, startS3Server } from './s3-server.ts';

/*
 * The embedded server against the SDK as it is, with its default checksums: what the SDK's users rely on is what
 * the server must get right, so that tests against it mean something.
 */

const Bucket = 'b';
let server: S3Server;
let client: S3Client;

beforeAll(async () => {
  server = await startS3Server({ buckets: [Bucket] });
  client = connect({});
});
afterEach(() => {
  server.fault = () => undefined;
});
afterAll(async () => {
  client.destroy();
  await server.close();
});

function connect(options: ConstructorParameters<typeof S3Client>[0]): S3Client {
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  const credentials = { accessKeyId, secretAccessKey };
  return new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1, ...options });
}

const put = (Key: string, Body: string, extra: object = {}) =>
  client.send(new PutObjectCommand({ Bucket, Key, Body, ...extra }));
const read = async (Key: string) => {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
  return Body?.transformToString();
};

describe('bodies', () => {
  test('of bytes with the default checksum', async () => {
    await put('body/bytes', 'hello');
    expect(await read('body/bytes')).toBe('hello');
  });

  test('of streams in chunks with a trailing checksum', async () => {
    for (const ChecksumAlgorithm of ['CRC32', 'SHA256', 'SHA1'] as const) {
      const Body = Readable.from([Buffer.alloc(70_000, 'a'), Buffer.alloc(30_000, 'b')]);
      const command = new PutObjectCommand({
        Bucket,
        Key: 'body/stream',
        Body,
        ContentLength: 100_000,
        ChecksumAlgorithm,
      });
      await client.send(command);
      expect(await read('body/stream')).toBe('a'.repeat(70_000) + 'b'.repeat(30_000));
    }
  });

  test('with a wrong checksum or hash are refused', async () => {
    await expect(put('body/bad', 'hello', { ChecksumCRC32: 'AAAAAA==' })).rejects.toMatchObject({ name: 'BadDigest' });
    const tampering = connect({});
    tampering.middlewareStack.add(
      (next) => (args) => {
        (args.request as { body: unknown }).body = 'other';
        return next(args);
      },
      { step: 'finalizeRequest', priority: 'low' },
    );
    const command = new PutObjectCommand({ Bucket, Key: 'body/bad', Body: 'hello', ChecksumAlgorithm: 'CRC32' });
    await expect(tampering.send(command)).rejects.toMatchObject({
      name: expect.stringMatching(/XAmzContentSHA256Mismatch|BadDigest/),
    });
    tampering.destroy();
    await expect(read('body/bad')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  test('in signed chunks are taken when every signature holds, and only then', async () => {
    const send = (tamper: boolean) => {
      const amzDate = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
      const scope = `${amzDate.slice(0, 8)}/${server.region}/s3/aws4_request`;
      const payload = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';
      const sha = (text: string) => createHash('sha256').update(text).digest('hex');
      const key = ['aws4_request', 's3', server.region, amzDate.slice(0, 8)].reduceRight(
        (secret: string | Buffer, part) => createHmac('sha256', secret).update(part).digest(),
        `AWS4${server.secretAccessKey}`,
      );
      const sign = (...lines: string[]) => createHmac('sha256', key).update(lines.join('\n')).digest('hex');
      const host = new URL(server.endpoint).host;
      const names = 'host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length';
      const canonical = [
        'PUT',
        '/b/body/signed',
        '',
        `host:${host}`,
        `x-amz-content-sha256:${payload}`,
        `x-amz-date:${amzDate}`,
        'x-amz-decoded-content-length:8',
        '',
        names,
        payload,
      ].join('\n');
      let signature = sign('AWS4-HMAC-SHA256', amzDate, scope, sha(canonical));
      const authorization = `AWS4-HMAC-SHA256 Credential=${server.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
      let body = '';
      for (const chunk of ['abcd', 'efgh', '']) {
        signature = sign('AWS4-HMAC-SHA256-PAYLOAD', amzDate, scope, signature, sha(''), sha(chunk));
        const sent = tamper && chunk === 'efgh' ? 'EFGH' : chunk;
        body += `${chunk.length.toString(16)};chunk-signature=${signature}\r\n${sent}\r\n`;
      }
      return fetch(`${server.endpoint}/b/body/signed`, {
        method: 'PUT',
        body,
        headers: {
          authorization,
          'x-amz-content-sha256': payload,
          'x-amz-date': amzDate,
          'x-amz-decoded-content-length': '8',
          'content-encoding': 'aws-chunked',
        },
      });
    };
    expect((await send(false)).status).toBe(200);
    expect(await read('body/signed')).toBe('abcdefgh');
    const refused = await send(true);
    expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('SignatureDoesNotMatch')]);
  });
});

describe('signatures', () => {
  test('wrong ones are refused by what is wrong', async () => {
    const { accessKeyId, secretAccessKey } = server;
    for (const [options, status, name] of [
      [{ credentials: { accessKeyId, secretAccessKey: 'x' } }, 403, 'SignatureDoesNotMatch'],
      [{ credentials: { accessKeyId: 'x', secretAccessKey } }, 403, 'InvalidAccessKeyId'],
      [{ region: 'eu-west-1' }, 400, 'AuthorizationHeaderMalformed'],
      [{ systemClockOffset: -3_600_000 }, 403, 'RequestTimeTooSkewed'],
    ] as const) {
      const other = connect(options);
      const command = new GetObjectCommand({ Bucket, Key: 'a' });
      await expect(other.send(command)).rejects.toMatchObject({ name, $metadata: { httpStatusCode: status } });
      other.destroy();
    }
    expect((await fetch(`${server.endpoint}/b/a`)).status).toBe(403);
  });
});

describe('conditional writes', () => {
  test('answer 200, 412, 404 and 501 as S3 does', async () => {
    const { ETag } = await put('if/a', 'one', { IfNoneMatch: '*' });
    await expect(put('if/a', 'two', { IfNoneMatch: '*' })).rejects.toMatchObject({ name: 'PreconditionFailed' });
    await put('if/a', 'three', { IfMatch: ETag });
    await expect(put('if/a', 'four', { IfMatch: ETag })).rejects.toMatchObject({ $metadata: { httpStatusCode: 412 } });
    await expect(put('if/none', 'x', { IfMatch: ETag })).rejects.toMatchObject({ name: 'NoSuchKey' });
    await expect(put('if/a', 'x', { IfNoneMatch: ETag })).rejects.toMatchObject({ name: 'NotImplemented' });
    expect(await read('if/a')).toBe('three');
  });

  test('answer 409 when the object is deleted meanwhile', async () => {
    const { ETag } = await put('if/deleted', 'one');
    server.fault = ({ method }) => (method === 'PUT' ? { kind: 'delay', delayMs: 100 } : undefined);
    const late = expect(put('if/deleted', 'two', { IfMatch: ETag })).rejects.toMatchObject({
      name: 'ConditionalRequestConflict',
      $metadata: { httpStatusCode: 409 },
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'if/deleted' }));
    await late;
  });
});

describe('reads', () => {
  test('of ranges, also open ones and suffixes', async () => {
    await put('range/a', '0123456789');
    for (const [Range, text, shown] of [
      ['bytes=2-4', '234', 'bytes 2-4/10'],
      ['bytes=7-', '789', 'bytes 7-9/10'],
      ['bytes=-3', '789', 'bytes 7-9/10'],
      ['bytes=8-100', '89', 'bytes 8-9/10'],
    ] as const) {
      const { Body, ContentRange } = await client.send(new GetObjectCommand({ Bucket, Key: 'range/a', Range }));
      expect([await Body?.transformToString(), ContentRange]).toEqual([text, shown]);
    }
    const past = client.send(new GetObjectCommand({ Bucket, Key: 'range/a', Range: 'bytes=10-' }));
    await expect(past).rejects.toMatchObject({ name: 'InvalidRange', $metadata: { httpStatusCode: 416 } });
  });

  test('of what is missing tell the object from the bucket', async () => {
    await expect(read('none')).rejects.toMatchObject({ name: 'NoSuchKey' });
    const elsewhere = client.send(new GetObjectCommand({ Bucket: 'none', Key: 'a' }));
    await expect(elsewhere).rejects.toMatchObject({ name: 'NoSuchBucket' });
    await expect(client.send(new HeadObjectCommand({ Bucket, Key: 'none' }))).rejects.toMatchObject({
      name: 'NotFound',
    });
    await expect(client.send(new HeadBucketCommand({ Bucket: 'none' }))).rejects.toMatchObject({
      $metadata: { httpStatusCode: 404 },
    });
    await client.send(new CreateBucketCommand({ Bucket: 'made' }));
    await client.send(new HeadBucketCommand({ Bucket: 'made' }));
  });
});

describe('lists', () => {
  test('page with tokens, group by delimiter and escape names', async () => {
    const names = ['l/a', 'l/b/1', 'l/b/2', 'l/c&<>"\'', 'l/d e+f', 'l/ä', 'l/𝒳', 'l/�'];
    for (const name of names) await put(name, 'x');
    const found: string[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await client.send(
        new ListObjectsV2Command({ Bucket, Prefix: 'l/', MaxKeys: 2, ContinuationToken, Delimiter: '/' }),
      );
      const folders = (page.CommonPrefixes ?? []).map((folder) => folder.Prefix as string);
      found.push(...(page.Contents ?? []).map(({ Key }) => Key as string), ...folders);
      expect(page.KeyCount).toBeLessThanOrEqual(2);
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    expect(found.sort()).toEqual([...names.filter((name) => !name.startsWith('l/b/')), 'l/b/'].sort());
    const whole = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'l/', StartAfter: 'l/b/1' }));
    // In bytes of UTF-8 the replacement character comes before what lies beyond the basic plane.
    expect((whole.Contents ?? []).map(({ Key }) => Key)).toEqual(names.slice(2, 6).concat('l/�', 'l/𝒳'));
  });

  test('and deletes of many keys', async () => {
    for (let i = 0; i < 5; i++) await put(`many/${i}&`, 'x');
    const Objects = [0, 2, 4, 7].map((i) => ({ Key: `many/${i}&` }));
    await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    const { Contents } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'many/' }));
    expect(Contents?.map(({ Key }) => Key)).toEqual(['many/1&', 'many/3&']);
  });
});

describe('multipart uploads', () => {
  /** S3 joins no smaller ones, but for the last. */
  const PART_BYTES = 5 * 1024 * 1024;

  test('join their parts, under a condition too', async () => {
    const target = { Bucket, Key: 'multi/a' };
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(target));
    const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
    for (const [PartNumber, Body] of [
      [1, Buffer.alloc(PART_BYTES, 'a')],
      [3, Buffer.from('three')],
    ] as const) {
      const { ETag } = await client.send(new UploadPartCommand({ ...target, UploadId, PartNumber, Body }));
      Parts.push({ PartNumber, ETag });
    }
    const complete = (extra: object = {}) =>
      client.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts }, ...extra }));
    await put('multi/a', 'present');
    await expect(complete({ IfNoneMatch: '*' })).rejects.toMatchObject({ name: 'PreconditionFailed' });
    expect((await complete()).ETag).toMatch(/^"[0-9a-f]{32}-2"$/);
    expect(await read('multi/a')).toBe(`${'a'.repeat(PART_BYTES)}three`);
    await expect(complete()).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });

  test('leave nothing when aborted', async () => {
    const target = { Bucket, Key: 'multi/aborted' };
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(target));
    await client.send(new UploadPartCommand({ ...target, UploadId, PartNumber: 1, Body: 'x' }));
    await client.send(new AbortMultipartUploadCommand({ ...target, UploadId }));
    await expect(read('multi/aborted')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });
});

test('the server runs as a program that says where it is and ends on SIGTERM', async () => {
  const program = path.join(import.meta.dirname, 's3-server-main.ts');
  const child = spawn(process.execPath, [program, '--port', '0', '--bucket', 'mine'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const { endpoint, bucket, region, accessKeyId, secretAccessKey } = JSON.parse(line.toString());
    const credentials = { accessKeyId, secretAccessKey };
    const other = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    await other.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: 'x' }));
    other.destroy();
    expect(bucket).toBe('mine');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  } finally {
    child.kill('SIGKILL');
  }
});
