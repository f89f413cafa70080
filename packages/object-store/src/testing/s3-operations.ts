import type { IncomingHttpHeaders } from 'node:http';
import {
  etagMatches,
  noSuchKey,
  preconditionFailed,
  type S3Bucket,
  type S3Condition,
  type S3Object,
} from './s3-bucket.ts';
import { escapeXml, S3Failure, unescapeXml } from './s3-error.ts';

export interface S3Request {
  method: string;
  key: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** Undefined where the store has no conditional writes and, as such stores do, ignores the headers. */
  condition: S3Condition | undefined;
}

export interface S3Answer {
  status: number;
  headers?: Record<string, string | number>;
  body?: string | Buffer;
}

const XML = '<?xml version="1.0" encoding="UTF-8"?>\n';
const NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
const MAX_KEYS = 1000;

/** What S3 answers on an object; the bucket exists and the signature is good. */
export function answerObject(bucket: S3Bucket, name: string, request: S3Request): S3Answer {
  const { method, key, query, body, condition } = request;
  const upload = query.get('uploadId');
  if (Buffer.byteLength(key) > 1024) throw new S3Failure(400, 'KeyTooLongError', 'Your key is too long');
  if (method === 'POST' && query.has('uploads')) {
    const id = bucket.beginUpload(key);
    return xml(
      `<InitiateMultipartUploadResult ${NAMESPACE}><Bucket>${name}</Bucket><Key>${escapeXml(key)}</Key>` +
        `<UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
    );
  }
  if (upload !== null) return answerUpload(bucket, name, upload, request);
  switch (method) {
    case 'GET':
    case 'HEAD':
      return answerRead(bucket.objects.get(key), request);
    case 'PUT':
      return { status: 200, headers: { ETag: bucket.put(key, body, condition).etag } };
    case 'DELETE':
      bucket.delete(key);
      return { status: 204 };
    default:
      throw notAllowed();
  }
}

/** What S3 answers on a bucket: lists of version 2, and deletes of many keys. */
export function answerBucket(bucket: S3Bucket, name: string, request: S3Request): S3Answer {
  const { method, query, body } = request;
  if (method === 'HEAD') return { status: 200 };
  if (method === 'GET' && query.has('location')) return xml(`<LocationConstraint ${NAMESPACE}/>`);
  if (method === 'GET' && query.has('uploads')) return answerUploads(bucket, name, query.get('prefix') ?? '');
  if (method === 'GET' && query.get('list-type') === '2') return answerList(bucket, name, query);
  if (method === 'POST' && query.has('delete')) {
    const keys = elements(body.toString(), 'Key');
    if (keys.length > MAX_KEYS) throw new S3Failure(400, 'MalformedXML', 'more than 1000 keys');
    for (const key of keys) bucket.delete(key);
    const deleted = keys.map((key) => `<Deleted><Key>${escapeXml(key)}</Key></Deleted>`).join('');
    return xml(`<DeleteResult ${NAMESPACE}>${deleted}</DeleteResult>`);
  }
  throw notAllowed();
}

/** All uploads in one page. */
function answerUploads(bucket: S3Bucket, name: string, prefix: string): S3Answer {
  const rows = [...bucket.uploads]
    .filter(([, { key }]) => key.startsWith(prefix))
    .map(
      ([id, { key, initiatedMs }]) =>
        `<Upload><Key>${escapeXml(key)}</Key><UploadId>${id}</UploadId>` +
        `<Initiated>${new Date(initiatedMs).toISOString()}</Initiated></Upload>`,
    );
  return xml(
    `<ListMultipartUploadsResult ${NAMESPACE}><Bucket>${name}</Bucket><Prefix>${escapeXml(prefix)}</Prefix>` +
      `<IsTruncated>false</IsTruncated>${rows.join('')}</ListMultipartUploadsResult>`,
  );
}

function answerUpload(bucket: S3Bucket, name: string, upload: string, request: S3Request): S3Answer {
  const { method, key, query, body, condition } = request;
  if (method === 'PUT') {
    const number = Number(query.get('partNumber'));
    if (!Number.isInteger(number) || number < 1 || number > 10_000) {
      throw new S3Failure(400, 'InvalidArgument', 'Part number must be an integer between 1 and 10000');
    }
    return { status: 200, headers: { ETag: bucket.putPart(upload, number, body) } };
  }
  if (method === 'DELETE') {
    bucket.abortUpload(upload);
    return { status: 204 };
  }
  if (method !== 'POST') throw notAllowed();
  const text = body.toString();
  const etags = elements(text, 'ETag');
  const parts = elements(text, 'PartNumber').map((number, i) => ({ number: Number(number), etag: etags[i] ?? '' }));
  if (parts.length === 0) throw new S3Failure(400, 'MalformedXML', 'no parts');
  const { etag } = bucket.completeUpload(upload, key, parts, condition);
  return xml(
    `<CompleteMultipartUploadResult ${NAMESPACE}><Bucket>${name}</Bucket><Key>${escapeXml(key)}</Key>` +
      `<ETag>${escapeXml(etag)}</ETag></CompleteMultipartUploadResult>`,
  );
}

function answerRead(object: S3Object | undefined, { method, headers: sent }: S3Request): S3Answer {
  if (!object) throw noSuchKey();
  const { bytes, etag, lastModifiedMs } = object;
  const headers = {
    ETag: etag,
    'Last-Modified': new Date(lastModifiedMs).toUTCString(),
    'Accept-Ranges': 'bytes',
    'Content-Type': 'application/octet-stream',
  };
  const ifMatch = sent['if-match'];
  const ifNoneMatch = sent['if-none-match'];
  if (ifMatch !== undefined && !etagMatches(ifMatch, etag)) throw preconditionFailed();
  if (ifNoneMatch !== undefined && etagMatches(ifNoneMatch, etag)) return { status: 304, headers };
  const range = rangeOf(sent.range, bytes.length);
  if (range === undefined) {
    return {
      status: 200,
      headers: { ...headers, 'Content-Length': bytes.length },
      ...(method === 'GET' && { body: bytes }),
    };
  }
  const [first, last] = range;
  return {
    status: 206,
    headers: {
      ...headers,
      'Content-Range': `bytes ${first}-${last}/${bytes.length}`,
      'Content-Length': last - first + 1,
    },
    ...(method === 'GET' && { body: bytes.subarray(first, last + 1) }),
  };
}

/** First and last byte; undefined for no range, or one to be ignored (RFC 9110, section 14.2). */
function rangeOf(header: string | undefined, size: number): [number, number] | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  const suffix = match[1] === '';
  const first = suffix ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const last = suffix || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (first >= size || last < first) throw new S3Failure(416, 'InvalidRange', 'The requested range is not satisfiable');
  return [first, last];
}

function answerList(bucket: S3Bucket, name: string, query: URLSearchParams): S3Answer {
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const token = query.get('continuation-token');
  const after = token === null ? (query.get('start-after') ?? '') : Buffer.from(token, 'base64url').toString();
  const max = Math.min(MAX_KEYS, Number(query.get('max-keys') ?? MAX_KEYS));
  const url = query.get('encoding-type') === 'url';
  const shown = (text: string) => escapeXml(url ? encodeURIComponent(text).replaceAll('%2F', '/') : text);
  const folders = new Set<string>();
  const rows: string[] = [];
  let last = '';
  let truncated = false;
  for (const key of bucket.keys(prefix)) {
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const folder = cut < 0 ? undefined : key.slice(0, cut + delimiter.length);
    const place = folder ?? key;
    if (folders.has(place) || Buffer.compare(Buffer.from(place), Buffer.from(after)) <= 0) continue;
    if (rows.length === max) {
      truncated = true;
      break;
    }
    last = place;
    if (folder !== undefined) {
      folders.add(folder);
      rows.push(`<CommonPrefixes><Prefix>${shown(folder)}</Prefix></CommonPrefixes>`);
      continue;
    }
    const { bytes, etag, lastModifiedMs } = bucket.objects.get(key) as S3Object;
    rows.push(
      `<Contents><Key>${shown(key)}</Key><LastModified>${new Date(lastModifiedMs).toISOString()}</LastModified>` +
        `<ETag>${escapeXml(etag)}</ETag><Size>${bytes.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
    );
  }
  const next = `<NextContinuationToken>${Buffer.from(last).toString('base64url')}</NextContinuationToken>`;
  return xml(
    `<ListBucketResult ${NAMESPACE}><Name>${name}</Name><Prefix>${shown(prefix)}</Prefix>` +
      `<KeyCount>${rows.length}</KeyCount><MaxKeys>${max}</MaxKeys><IsTruncated>${truncated}</IsTruncated>` +
      `${url ? '<EncodingType>url</EncodingType>' : ''}${truncated ? next : ''}${rows.join('')}</ListBucketResult>`,
  );
}

/** The texts of all elements of a name, in their order. */
function elements(text: string, name: string): string[] {
  return [...text.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map((match) => unescapeXml(match[1] ?? ''));
}

function xml(body: string): S3Answer {
  return { status: 200, headers: { 'Content-Type': 'application/xml' }, body: XML + body };
}

function notAllowed(): S3Failure {
  return new S3Failure(405, 'MethodNotAllowed', 'The specified method is not allowed against this resource.');
}
