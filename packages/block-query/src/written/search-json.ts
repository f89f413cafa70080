import { bytesToHex } from '@vivace/kernel';
import type { AnswerAttribute, SpanAnswer, SpansetAnswer, TraceMatch } from '../answer.ts';
import { anyValueJson } from './answer-value.ts';
import type { AttributeTypes } from './attribute-types.ts';
import { durationMsOf, NO_ROOT, traceIdText, uint32 } from './trace-facts.ts';

// Hot path: whoever else asks waits while a thousand traces are written. So this makes no messages: it writes what the
// API's `messageToJson` writes of those of its `searchTrace`, in a third of the time. What is empty or zero is left out.

export interface SearchTraceOptions {
  types: AttributeTypes;
  /** Off for searches by tags, whose answers have only the facts of traces. */
  spansets: boolean;
}

/** A trace of a search as JSON. The traces of `types` must be settled. */
export function searchTraceJson(match: TraceMatch, { types, spansets }: SearchTraceOptions): string {
  const { root, startUnixNano, services } = match;
  const service = root?.service ?? NO_ROOT;
  const durationMs = durationMsOf(match);
  let json = `{"traceID":"${traceIdText(match.traceId)}"`;
  if (service !== '') json += `,"rootServiceName":${JSON.stringify(service)}`;
  if (root !== undefined && root.name !== '') json += `,"rootTraceName":${JSON.stringify(root.name)}`;
  if (startUnixNano !== 0n) json += `,"startTimeUnixNano":"${startUnixNano}"`;
  if (durationMs !== 0) json += `,"durationMs":${durationMs}`;
  if (!spansets) return `${json}}`;
  const [first, ...others] = match.spansets;
  if (first !== undefined) {
    const set = spansetJson(first, types);
    if (others.length === 0) json += `,"spanSet":${set},"spanSets":[${set}]`;
    else json += `,"spanSets":[${[set, ...others.map((other) => spansetJson(other, types))].join()}]`;
  }
  if (services.size > 0) json += `,"serviceStats":${servicesJson(services)}`;
  return `${json}}`;
}

function spansetJson({ spans, matched, attributes }: SpansetAnswer, types: AttributeTypes): string {
  let json = '';
  for (const span of spans) json += json === '' ? `"spans":[${spanJson(span, types)}` : `,${spanJson(span, types)}`;
  if (json !== '') json += ']';
  const count = uint32(matched);
  if (count !== 0) json += `${json === '' ? '' : ','}"matched":${count}`;
  const list = attributesJson(attributes, types);
  if (list !== '') json += `${json === '' ? '' : ','}${list}`;
  return `{${json}}`;
}

function spanJson(
  { spanId, name, startUnixNano, durationNanos, attributes }: SpanAnswer,
  types: AttributeTypes,
): string {
  let json = `{"spanID":"${bytesToHex(spanId)}"`;
  if (name !== undefined && name !== '') json += `,"name":${JSON.stringify(name)}`;
  if (startUnixNano !== 0n) json += `,"startTimeUnixNano":"${startUnixNano}"`;
  if (durationNanos !== 0n) json += `,"durationNanos":"${durationNanos}"`;
  const list = attributesJson(attributes, types);
  return list === '' ? `${json}}` : `${json},${list}}`;
}

/** Empty where there are none. */
function attributesJson(attributes: readonly AnswerAttribute[], types: AttributeTypes): string {
  let json = '';
  for (const { key, value } of types.write(attributes)) {
    const text = anyValueJson(value);
    json += json === '' ? '"attributes":[' : ',';
    json += key === '' ? `{"value":${text}}` : `{"key":${JSON.stringify(key)},"value":${text}}`;
  }
  return json === '' ? '' : `${json}]`;
}

function servicesJson(services: TraceMatch['services']): string {
  let json = '';
  for (const [service, { spanCount, errorCount }] of services) {
    const spans = spanCount === 0 ? '' : `"spanCount":${spanCount}`;
    const errors = errorCount === 0 ? '' : `${spans === '' ? '' : ','}"errorCount":${errorCount}`;
    json += `${json === '' ? '{' : ','}${JSON.stringify(service)}:{${spans}${errors}}`;
  }
  return `${json}}`;
}
