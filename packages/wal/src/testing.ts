export { segmentKey } from './bucket-layout.ts';
export { collectRecords, sealAndCollect } from './testing/collect.ts';
export { describeLog, type LogHarness } from './testing/describe-log.ts';
export { readLeaseObject, readSegmentObject } from './testing/read-object.ts';
