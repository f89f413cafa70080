/** The numbers of FORMAT.md. */

/** `VROT` and `VPAG` as the first four bytes of a file. */
export const ROOT_MAGIC = 0x544f5256;
export const PAGE_MAGIC = 0x47415056;
export const FORMAT_VERSION = 2;
/** The oldest that is read. */
export const FIRST_FORMAT_VERSION = 1;
/** Magic, version, kind, length before the body; crc32 after it. */
export const HEADER_BYTES = 12;
export const TRAILER_BYTES = 4;

/** What a file holds, in its header. */
export const KIND_ROOT = 0;
export const KIND_ENTRY_PAGE = 1;
export const KIND_GRAVE_PAGE = 2;

/** Sections in the order in which an entry lists them. */
export const SECTION_NAMES = ['spans', 'events', 'resources', 'traces', 'filter', 'index'] as const;

export const FLAG_MISDATED = 1;
/** From version 2. */
export const FLAG_UNFILTERED_KEYS = 2;
export const GRAVE_BLOCK = 0;
export const GRAVE_PAGE = 1;
/** From version 2. */
export const GRAVE_SEGMENT = 2;

/** A root above this folds what it can into pages. */
export const ROOT_MAX_BYTES = 64 * 1024;
export const PAGE_MAX_BYTES = 1024 * 1024;
/** Commit ids that a root remembers. */
export const COMMIT_RING = 256;
/** Nothing larger is read: hostile lengths stop here. */
export const FILE_MAX_BYTES = 4 * 1024 * 1024;
export const MAX_TEXT_BYTES = 1024;
