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
export { tracesArbitrary } from './testing/traces-arbitrary.ts';
