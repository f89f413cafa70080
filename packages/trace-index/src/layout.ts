/** The numbers of FORMAT.md. */

/** `VTIX` as the first four bytes of a file. */
export const MAGIC = 0x58495456;
export const FORMAT_VERSION = 1;
export const HEADER_BYTES = 64;
/** The checksum that ends a bucket. */
export const TRAILER_BYTES = 4;
/** A bucket that would need more has no entries, and any trace may be in any block. */
export const MAX_STRIDE = 16 * 1024;
export const MIN_STRIDE = 16;
export const MAX_BUCKETS = 2 ** 20;
/** Entries a bucket, about. */
export const BUCKET_ENTRIES = 1024;
/** A trace of more blocks may be in any block of the segment. */
export const MAX_BLOCKS_A_TRACE = 32;
/** Ordinals of one segment. */
export const MAX_ORDINALS = 2 ** 20;
