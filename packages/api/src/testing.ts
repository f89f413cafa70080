export {
  type DecodedKeyValue,
  type DecodedResourceSpans,
  type DecodedScopeSpans,
  type DecodedSpan,
  decodeTraceByIdResponse,
  decodeTracesData,
  encodeTracesData,
  fetchTraceAsGrafana,
  type GrafanaTrace,
  takeTraceAsGrafana,
} from './testing/grafana-trace.ts';
