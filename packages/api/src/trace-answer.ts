import { concatBytes } from '@vivace/kernel';
import { ProtoReader, ProtoWriter, tracesToJsonPieces, WIRE_BYTES, WIRE_VARINT } from '@vivace/otlp';
import { problemLine } from './problem-lines.ts';
import type { TraceAnswer } from './trace-finder.ts';

/** Field numbers of `tempopb.TraceByIDResponse` and `tempopb.TraceByIDMetrics`. */
const FIELD_TRACE = 1;
const FIELD_METRICS = 2;
const FIELD_STATUS = 3;
const FIELD_MESSAGE = 4;
const FIELD_INSPECTED_BYTES = 1;
const STATUS_PARTIAL = 1;

/** A large trace goes out in pieces of this size, as views of one buffer. */
const PIECE_BYTES = 256 * 1024;

/**
 * One answer of the answers of several tenants: `TracesData` messages join by concatenation. What goes over
 * `maxBytes` is cut between two `ResourceSpans`.
 */
export function mergeAnswers(answers: readonly TraceAnswer[], maxBytes: number): TraceAnswer {
  const [only] = answers;
  if (only !== undefined && answers.length === 1 && only.trace.length <= maxBytes) return only;
  const traces: Uint8Array[] = [];
  let left = maxBytes;
  let truncated = false;
  for (const { trace } of answers) {
    const fitting = cut(trace, left);
    truncated ||= fitting.length < trace.length;
    left -= fitting.length;
    traces.push(fitting);
  }
  return {
    trace: concatBytes(traces),
    complete: answers.every((answer) => answer.complete),
    problems: answers.flatMap((answer) => answer.problems),
    truncated: truncated || answers.some((answer) => answer.truncated),
    inspectedBytes: answers.reduce((sum, answer) => sum + answer.inspectedBytes, 0),
  };
}

/** The longest prefix of whole fields that is not longer than `maxBytes`. */
function cut(trace: Uint8Array, maxBytes: number): Uint8Array {
  if (trace.length <= maxBytes) return trace;
  const reader = new ProtoReader(trace);
  let end = 0;
  while (reader.at < reader.end) {
    reader.skip(reader.tag() & 7);
    if (reader.at > maxBytes) break;
    end = reader.at;
  }
  return trace.subarray(0, end);
}

/** Why an answer is not complete, as one line; undefined when nothing is known to be missing. */
export function missingParts(answer: TraceAnswer): string | undefined {
  if (answer.complete) return undefined;
  return problemLine(answer.problems) ?? 'a part of the data could not be read';
}

/** The message of an answer that is not the whole trace; undefined for one that is. */
export function partialMessage(answer: TraceAnswer, maxBytes: number): string | undefined {
  const reasons: string[] = [];
  if (answer.truncated) {
    reasons.push(`Trace exceeds maximum size of ${maxBytes} bytes, a partial trace is returned`);
  }
  const missing = missingParts(answer);
  if (missing !== undefined) reasons.push(`the trace may be incomplete: ${missing}`);
  return reasons.length === 0 ? undefined : reasons.join('; ');
}

/** A `tempopb.TraceByIDResponse`. Its trace is there even when it is empty: Grafana takes it without asking. */
export function* encodeTraceByIdResponse(answer: TraceAnswer, message: string | undefined): Generator<Uint8Array> {
  const before = new ProtoWriter(16);
  before.tag(FIELD_TRACE, WIRE_BYTES);
  before.varint(answer.trace.length);
  yield before.toBytes();
  yield* pieces(answer.trace);
  const after = new ProtoWriter(64);
  if (hasMetrics(answer)) {
    const metrics = after.open(FIELD_METRICS);
    after.tag(FIELD_INSPECTED_BYTES, WIRE_VARINT);
    after.varint(answer.inspectedBytes);
    after.close(metrics);
  }
  if (message !== undefined) {
    after.tag(FIELD_STATUS, WIRE_VARINT);
    after.varint(STATUS_PARTIAL);
    after.stringField(FIELD_MESSAGE, message);
  }
  yield after.toBytes();
}

/** Bytes as views of bounded length, so that a slow client is written to bit by bit. */
export function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

/** `{"batches":[…]}`, the JSON of the first version of the endpoint; for a trace that was found. */
export function renderTraceV1(trace: Uint8Array): Generator<Uint8Array> {
  return tracesToJsonPieces(trace, { style: 'tempo', before: '{"batches":', after: '}' });
}

/** The JSON of a `tempopb.TraceByIDResponse`. */
export function* renderTraceV2(answer: TraceAnswer, message: string | undefined): Generator<Uint8Array> {
  const metrics = hasMetrics(answer) ? { inspectedBytes: String(answer.inspectedBytes) } : {};
  const status = message === undefined ? {} : { status: 'PARTIAL', message };
  // The comma takes the place of the object's opening brace.
  const after = `},${JSON.stringify({ metrics, ...status }).slice(1)}`;
  if (answer.trace.length === 0) yield Buffer.from(`{"trace":{${after}`);
  else yield* tracesToJsonPieces(answer.trace, { style: 'tempo', before: '{"trace":{"resourceSpans":', after });
}

/** What is not found is answered with an empty trace and nothing else, whatever it cost to look. */
function hasMetrics(answer: TraceAnswer): boolean {
  return answer.trace.length > 0 && answer.inspectedBytes > 0;
}
