export { collectRecords, sealAndCollect } from './testing/collect.ts';
export { describeLog, type LogHarness } from './testing/describe-log.ts';
