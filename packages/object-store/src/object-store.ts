/**
 * The bucket as everything above sees it. Strongly consistent: a read or list after a put sees it, and what
 * a read or list has shown survives.
 *
 * **Keys** are segments of `A-Z a-z 0-9 ! $ % ' ( ) * + , - . = @ _ ~` joined by `/`: no empty segment, no `.`
 * or `..`, at most 255 bytes a segment and 900 in all; a first segment `.tmp` is the store's own. Being ASCII,
 * keys sort the same by code units and by UTF-8 bytes. No key may be a folder of another (`a` beside `a/b`):
 * a directory cannot hold both.
 *
 * **ETags** are opaque; one key's ETag never names two different contents. Equal contents may share one.
 *
 * **Errors** are VivaceErrors:
 * - `not-found`, code `object-not-found`.
 * - `conflict`, code `precondition-failed`: the condition did not hold, also for an ETag condition on a missing
 *   object; code `conditional-conflict` (409): undecided, send the same bytes again.
 * - `limited`, code `store-slow-down` (429 and slow-down), always with `retryAfterMs`.
 * - `unavailable`: 5xx, resets, timeouts; whether a put happened is unknown. Code `store-full`: no space left;
 *   code `bucket-missing`: never `not-found`, so that nobody takes a lost bucket for an empty one.
 * - `unauthorized`, codes `access-denied`, `credentials-rejected`, `credentials-missing`.
 * - `invalid`: a key (`key-invalid`), range (`range-invalid`, `range-not-satisfiable`) or store that cannot be.
 * - `data`, code `store-answer`: an answer that is not what the protocol says.
 * - `canceled` or `deadline`: the caller's signal, by its reason; whether a put happened is unknown.
 */
export interface ObjectStore {
  get(key: string, options?: GetOptions): Promise<StoredObject>;
  /** Durable when it resolves. The parts are one object in their order; they must not change until then. */
  put(key: string, body: readonly Uint8Array[], options?: PutOptions): Promise<PutResult>;
  /** Succeeds also when the object is missing. */
  delete(key: string, options?: CallOptions): Promise<void>;
  head(key: string, options?: CallOptions): Promise<ObjectInfo>;
  /** One page of at most 1,000 keys that start with `prefix` (any text), in UTF-8 byte order, after `after`. */
  list(prefix: string, options?: ListOptions): Promise<ListPage>;
  /** Begins an object that is put piece by piece, because all of it is more than memory should hold. */
  beginUpload(key: string, options?: CallOptions): Promise<Upload>;
  /**
   * Gives up uploads below a prefix that were begun so long ago and never completed: nobody sees them, but a bucket
   * keeps their pieces. Returns how many there were.
   */
  endUploads(prefix: string, options: EndUploadsOptions): Promise<number>;
}

/** Pieces of an upload, but for the last, have at least so many bytes: S3 takes no smaller ones, and at most 10,000. */
export const UPLOAD_PIECE_MIN_BYTES = 5 * 1024 * 1024;

/**
 * An object on its way. One call at a time. Nobody sees any of it before `complete`, which replaces as a put does.
 * Besides a store's usual errors calls reject with `conflict`, code `upload-gone`, when the upload has to be begun anew.
 */
export interface Upload {
  /** Adds a piece to the end. `number` counts from 1; where it failed, the same one can be added again. */
  add(number: number, body: readonly Uint8Array[], options?: CallOptions): Promise<void>;
  /** Durable when it resolves. Where it failed it can be called again, also when it may have happened. */
  complete(options?: CallOptions): Promise<PutResult>;
  /** Gives it up, also after it has failed; what was completed stays. */
  abort(options?: CallOptions): Promise<void>;
}

export interface EndUploadsOptions extends CallOptions {
  /** By the store's clock. */
  minAgeMs: number;
}

export interface CallOptions {
  signal?: AbortSignal;
}

export interface GetOptions extends CallOptions {
  /** Exactly these bytes; a range that ends past the object is `invalid` (code `range-not-satisfiable`). */
  range?: ByteRange;
  /** Answers without bytes (`notModified`) when the object still has this ETag. */
  ifNoneMatch?: string;
}

/** `offset` from 0, `length` from 1: HTTP cannot ask for nothing. */
export interface ByteRange {
  offset: number;
  length: number;
}

export interface PutOptions extends CallOptions {
  /** `'absent'`: only if no object has the key. An ETag: only if the object has it. */
  only?: 'absent' | { etag: string };
}

export interface PutResult {
  etag: string;
  /** The store's clock at its answer (`Date`), milliseconds since 1970. */
  storeTimeMs: number;
}

export interface ObjectInfo {
  key: string;
  size: number;
  etag: string;
  /** When the object was put, by the store's clock, in whole milliseconds or, by HTTP, in whole seconds. */
  lastModifiedMs: number;
  /** The store's clock at its answer: only differences to `lastModifiedMs` of the same answer mean anything. */
  storeTimeMs: number;
}

export interface StoredObject extends ObjectInfo {
  /**
   * The object or the range asked for; the caller's own. `size` is of the whole object. When `notModified`,
   * `bytes` is empty and `size` 0.
   */
  bytes: Uint8Array;
  notModified: boolean;
}

export interface ListOptions extends CallOptions {
  /** Only keys greater than this text, which need not be a key. */
  after?: string;
  /** From 1 to 1,000, the default. */
  limit?: number;
}

export interface ListPage {
  objects: ListedObject[];
  /** More keys follow: list again with `after` set to this. */
  next: string | undefined;
  storeTimeMs: number;
}

export interface ListedObject {
  key: string;
  size: number;
  etag: string;
  lastModifiedMs: number;
}
