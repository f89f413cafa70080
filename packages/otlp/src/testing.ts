export {
  decodeRawTraces,
  decodeShownTraces,
  decodeTraces,
  encodeRawTraces,
  encodeTraces,
  normalTraces,
  type PlainTraces,
  spanTexts,
} from './testing/oracle.ts';
export { createRecordingSink, type RecordingSink } from './testing/recording-sink.ts';
export { tracesArbitrary } from './testing/traces-arbitrary.ts';
