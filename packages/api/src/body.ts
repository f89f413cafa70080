import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { constants, createGzip, gzip } from 'node:zlib';
import { wholeResponse } from './whole-body.ts';

/** Below this a body is sent as it is: on a trace of 20 KB gzip costs as much CPU as finding it, on any network less. */
const GZIP_MIN_BYTES = 64 * 1024;

/** From this on a body is sent while it is made, so that a trace of a hundred megabytes is never held twice. */
const STREAM_MIN_BYTES = 1024 * 1024;

/** Level 1 of gzip takes a third of the time of the default level and gives traces about a tenth more bytes. */
const GZIP_LEVEL = constants.Z_BEST_SPEED;

const gzipAsync = promisify(gzip);

export interface BodyOptions {
  contentType: string;
  /** The `Accept-Encoding` header of the request. */
  acceptEncoding: string | undefined;
  /** The client is on this machine: nothing is saved on the way to it, unless it passes on what it gets. Default false. */
  isNear?: boolean;
  /** HEAD: headers only. */
  headersOnly: boolean;
  /** A body that is short is left for `sendWhole` to write. Default false. */
  direct?: boolean;
  /** Told of a part that failed after the status was sent; the connection is then broken off. */
  onError: (error: unknown) => void;
}

/**
 * A 200 answer of `parts`, gzipped where the client accepts it: in one piece when short, while it is being
 * made when long. A failure in the first megabyte is thrown and can still become an error answer.
 */
export async function bodyResponse(parts: Iterable<Uint8Array>, options: BodyOptions): Promise<Response> {
  const iterator = parts[Symbol.iterator]();
  const first: Uint8Array[] = [];
  let firstBytes = 0;
  let next = iterator.next();
  while (!next.done && firstBytes < STREAM_MIN_BYTES) {
    first.push(next.value);
    firstBytes += next.value.length;
    next = iterator.next();
  }
  const isShort = next.done && (options.isNear === true || firstBytes < GZIP_MIN_BYTES);
  const zip = !isShort && acceptsGzip(options.acceptEncoding);
  const headers = new Headers({ 'content-type': options.contentType, vary: 'Accept-Encoding' });
  if (zip) headers.set('content-encoding', 'gzip');
  if (options.headersOnly) return new Response(null, { headers });
  if (next.done) {
    const whole = Buffer.concat(first);
    const body = zip ? await gzipAsync(whole, { level: GZIP_LEVEL }) : whole;
    headers.set('content-length', String(body.length));
    return options.direct === true ? wholeResponse(body, headers) : new Response(body, { headers });
  }
  first.push(next.value);
  const source = Readable.from(unhurried(first, iterator), { objectMode: false });
  const stream = zip ? source.pipe(createGzip({ level: GZIP_LEVEL })) : source;
  source.on('error', (error) => {
    options.onError(error);
    stream.destroy(error);
  });
  // A client that goes away closes what it reads from; what is behind must end too.
  stream.on('close', () => source.destroy());
  return new Response(Readable.toWeb(stream) as ReadableStream<Uint8Array>, { headers });
}

/** The parts with a turn of the event loop after each: rendering a huge trace holds nobody else up. */
async function* unhurried(first: readonly Uint8Array[], rest: Iterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* first;
  for (let next = rest.next(); !next.done; next = rest.next()) {
    yield next.value;
    await setImmediate();
  }
}

/** Whether an `Accept-Encoding` header allows gzip (RFC 9110, section 12.5.3). */
export function acceptsGzip(header: string | undefined): boolean {
  if (header === undefined) return false;
  let any = false;
  for (const item of header.toLowerCase().split(',')) {
    const [coding, ...parameters] = item.split(';').map((part) => part.trim());
    const refused = parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
    if (coding === 'gzip' || coding === 'x-gzip') return !refused;
    if (coding === '*') any = !refused;
  }
  return any;
}
