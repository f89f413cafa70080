/**
 * The bucket as everything above sees it. Strongly consistent: a read or list after a put sees it.
 *
 * Errors are VivaceErrors: `not-found` (code `object-not-found`), `conflict` (code `precondition-failed`
 * for 412: the condition did not hold; code `conditional-conflict` for 409: undecided, send the same
 * bytes again), `limited` (429 and slow-down), `unavailable` (5xx, resets, timeouts: whether a put
 * happened is unknown), `unauthorized`, `canceled`, `invalid` (a key or range that cannot be).
 */
export interface ObjectStore {
  get(key: string, options?: GetOptions): Promise<StoredObject>;
  put(key: string, body: readonly Uint8Array[], options?: PutOptions): Promise<PutResult>;
  /** Succeeds also when the object is missing. */
  delete(key: string, options?: CallOptions): Promise<void>;
  head(key: string, options?: CallOptions): Promise<ObjectInfo>;
  /** One page of at most 1,000 keys in UTF-8 byte order, starting after `after`. */
  list(prefix: string, options?: ListOptions): Promise<ListPage>;
}

export interface CallOptions {
  signal?: AbortSignal;
}

export interface GetOptions extends CallOptions {
  /** Exactly these bytes; a range past the end of the object is `invalid` (code `range-not-satisfiable`). */
  range?: ByteRange;
  /** Answers `undefined` bytes (`notModified`) when the object still has this ETag. */
  ifNoneMatch?: string;
}

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
  lastModifiedMs: number;
  /** The store's clock at its answer: only differences to `lastModifiedMs` of the same answer mean anything. */
  storeTimeMs: number;
}

export interface StoredObject extends ObjectInfo {
  /** The object or the range asked for; empty when `notModified`. `size` is of the whole object. */
  bytes: Uint8Array;
  notModified: boolean;
}

export interface ListOptions extends CallOptions {
  after?: string;
  limit?: number;
}

export interface ListPage {
  objects: { key: string; size: number; etag: string; lastModifiedMs: number }[];
  /** More keys may follow: list again with `after` set to this. */
  next: string | undefined;
  storeTimeMs: number;
}
