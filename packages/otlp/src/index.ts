export { encodeExportResponse, exportResponseToJson, type PartialSuccess } from './export-response.ts';
export { tracesFromJson } from './json-to-proto.ts';
export {
  ANY_VALUE,
  EVENT,
  KEY_VALUE,
  LINK,
  RESOURCE,
  RESOURCE_SPANS,
  SCOPE,
  SCOPE_SPANS,
  SPAN,
  STATUS,
  TRACES_DATA,
  VALUES,
} from './messages.ts';
export { type JsonStyle, type TracesJsonOptions, tracesToJson, tracesToJsonPieces } from './proto-to-json.ts';
export { encodeRpcStatus, type RpcStatus, rpcStatusToJson } from './rpc-status.ts';
export type { PushResult, TraceSink } from './trace-sink.ts';
export {
  ByteWriter,
  doubleOf,
  MAX_MESSAGE_DEPTH,
  ProtoReader,
  ProtoWriter,
  WIRE_BYTES,
  WIRE_FIXED32,
  WIRE_FIXED64,
  WIRE_GROUP_END,
  WIRE_GROUP_START,
  WIRE_VARINT,
} from './wire.ts';
