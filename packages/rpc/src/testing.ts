export { describeTraceSink } from './testing/describe-trace-sink.ts';
export { startHeadsServer } from './testing/heads-server.ts';
export { startPushServer } from './testing/push-server.ts';
export { startQueryServer } from './testing/query-server.ts';
export type { TestRpcServer } from './testing/test-server.ts';
