/** Values by key, bounded in bytes as their owners count them. Values are never changed after `put`. */
export interface ByteCache {
  get(key: string): unknown;
  put(key: string, value: object, bytes: number): void;
  /** Bytes held now. */
  readonly bytes: number;
}

export interface ByteCacheOptions {
  maxBytes: number;
  /** Told of a value that is not kept any more, to give its memory back. Not of one that never was. */
  onDrop?: (value: object) => void;
}

/** Keeps what was used last, at most `maxBytes` of it. What alone takes more than half is not kept. */
export function createByteCache({ maxBytes, onDrop }: ByteCacheOptions): ByteCache {
  // A Map iterates in the order of insertion; an entry that is used is inserted again.
  const entries = new Map<string, { value: object; bytes: number }>();
  let held = 0;
  const drop = (key: string): void => {
    const entry = entries.get(key);
    if (entry === undefined) return;
    held -= entry.bytes;
    entries.delete(key);
    onDrop?.(entry.value);
  };
  return {
    get bytes() {
      return held;
    },
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    put(key, value, bytes) {
      drop(key);
      if (bytes > maxBytes / 2) return;
      entries.set(key, { value, bytes });
      held += bytes;
      for (const oldest of entries.keys()) {
        if (held <= maxBytes) break;
        drop(oldest);
      }
    },
  };
}
