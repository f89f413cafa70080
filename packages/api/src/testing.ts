export { describeDrilldown } from './testing/describe-drilldown.ts';
export { type DrilldownSpan, drilldownRequest, spans as drilldownSpans } from './testing/drilldown-traces.ts';
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
export {
  decodeInstantStrictly,
  decodeRangeStrictly,
  decodeSearchStrictly,
  type StrictAttribute,
  type StrictInstant,
  type StrictMetrics,
  type StrictRange,
  type StrictSearch,
  type StrictSpan,
  type StrictSpanSet,
  type StrictTrace,
} from './testing/strict-answers.ts';
export { decodeTempopb, encodeTempopb } from './testing/tempopb-schema.ts';
