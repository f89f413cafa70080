import { crc32 } from '@vivace/kernel';
import {
  encodeFiller,
  RECORD_HEAD_BYTES,
  RECORD_LENGTH_AT,
  RECORD_TENANT_LENGTH_AT,
  RECORD_ZERO_AT,
} from './layout.ts';

/*
 * Hot path: runs once per append on the main thread. Benchmark: disk-log.bench.ts.
 */

const CHUNK_BYTES = 64 * 1024;
/** Chunks that an idle batch keeps. */
const CHUNKS_KEPT = 4;
/** Copying a shorter record costs less than one more buffer in the system call. */
const COPY_BELOW_BYTES = 4096;

interface Chunk {
  bytes: Uint8Array;
  view: DataView;
}

/**
 * Records on their way to one segment, as the buffers of one gathered write. Heads, tenants and short records
 * are put together in memory that is used again; long records are named, not copied.
 */
export class RecordBatch {
  readonly parts: Uint8Array[] = [];
  readonly tenants = new Set<string>();
  bytes = 0;
  records = 0;
  readonly #chunks: Chunk[] = [];
  #chunk = 0;
  /** In the current chunk: bytes used, and where those begin that `parts` does not name yet. */
  #used = 0;
  #from = 0;

  /** `seed` is the checksum of the segment's header. */
  add(tenant: string, tenantBytes: Uint8Array, record: Uint8Array, seed: number): void {
    const copied = record.length < COPY_BELOW_BYTES;
    const headBytes = RECORD_HEAD_BYTES + tenantBytes.length;
    const chunk = this.#space(headBytes + (copied ? record.length : 0));
    const at = this.#used;
    chunk.view.setUint32(at + RECORD_LENGTH_AT, record.length, true);
    chunk.view.setUint16(at + RECORD_TENANT_LENGTH_AT, tenantBytes.length, true);
    chunk.view.setUint16(at + RECORD_ZERO_AT, 0, true);
    chunk.bytes.set(tenantBytes, at + RECORD_HEAD_BYTES);
    if (copied) chunk.bytes.set(record, at + headBytes);
    this.#used = at + headBytes + (copied ? record.length : 0);
    let crc = crc32(chunk.bytes.subarray(at + RECORD_LENGTH_AT, this.#used), seed);
    if (!copied) crc = crc32(record, crc);
    chunk.view.setUint32(at, crc, true);
    if (!copied) {
      this.#flush(chunk);
      this.parts.push(record);
    }
    this.tenants.add(tenant);
    this.records++;
    this.bytes += headBytes + record.length;
  }

  /** Names the last bytes in `parts`, and fills up to a multiple of `blockBytes`; returns the bytes that this took. */
  finish(blockBytes: number, seed: number): number {
    const chunk = this.#chunks[this.#chunk];
    if (chunk) this.#flush(chunk);
    const filler = encodeFiller(this.bytes, blockBytes, seed);
    if (filler.length > 0) this.parts.push(filler);
    this.bytes += filler.length;
    return filler.length;
  }

  /** Empties the batch for its next use. */
  clear(): void {
    this.parts.length = 0;
    this.tenants.clear();
    this.bytes = 0;
    this.records = 0;
    this.#chunk = 0;
    this.#used = 0;
    this.#from = 0;
    if (this.#chunks.length > CHUNKS_KEPT) this.#chunks.length = CHUNKS_KEPT;
  }

  #space(bytes: number): Chunk {
    let chunk = this.#chunks[this.#chunk];
    if (chunk && this.#used + bytes > CHUNK_BYTES) {
      this.#flush(chunk);
      chunk = this.#chunks[++this.#chunk];
      this.#used = 0;
      this.#from = 0;
    }
    if (!chunk) {
      const memory = new Uint8Array(CHUNK_BYTES);
      chunk = { bytes: memory, view: new DataView(memory.buffer) };
      this.#chunks.push(chunk);
    }
    return chunk;
  }

  #flush(chunk: Chunk): void {
    if (this.#used === this.#from) return;
    this.parts.push(chunk.bytes.subarray(this.#from, this.#used));
    this.#from = this.#used;
  }
}
