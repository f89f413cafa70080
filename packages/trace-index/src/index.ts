export { MAX_ORDINALS } from './layout.ts';
export { MAX_SORTED, mergeSegments, sortPostings, type TracePostings } from './merge-segments.ts';
export { bucketIn, bucketRange, checkBuckets, checkSegment, findBlocks } from './segment-reader.ts';
export { type SegmentPlace, segmentBytes, type WrittenSegment } from './segment-writer.ts';
export { keyHash, traceHash } from './trace-hash.ts';
