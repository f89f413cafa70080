export { describeTraceSink } from './testing/describe-trace-sink.ts';
export { startPushServer, type TestPushServer } from './testing/push-server.ts';
