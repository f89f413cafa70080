export { decodeTraces, encodeTraces, normalTraces } from './testing/oracle.ts';
export { tracesArbitrary } from './testing/traces-arbitrary.ts';
