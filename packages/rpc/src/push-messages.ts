import { allocateGrpcFrame, isErrorKind, PREFIX_BYTES } from '@vivace/http';
import { dataError, utf8Decode, utf8Encode, VivaceError } from '@vivace/kernel';
import { ProtoReader, ProtoWriter, type PushResult, WIRE_BYTES, WIRE_VARINT } from '@vivace/otlp';

// The messages of proto/push.proto. Hot path: traces are copied once into a request, and not at all out of one.

/** A part of a request on its way to an ingester. */
export interface RemoteSlice {
  tenant: string;
  /** Bytes of the ExportTraceServiceRequest. */
  length: number;
  /** Writes them. */
  copyTo(target: Uint8Array, at: number): void;
}

/** What became of a slice. */
export type PushOutcome = PushResult | VivaceError;

/** Slices of one call, at most: what comes is bounded in number as it is in bytes. */
export const MAX_SLICES = 4096;

const SLICES = 8 + WIRE_BYTES;
const TENANT = 8 + WIRE_BYTES;
const TRACES = 16 + WIRE_BYTES;

/** Bytes of a slice in a request besides its traces and its tenant, at most. */
const SLICE_HEAD_BYTES = 32;

/** The request in its frame. */
export function encodePushRequest(slices: readonly RemoteSlice[]): Uint8Array {
  const heads = new ProtoWriter(64 * slices.length);
  const headEnds: number[] = [];
  let length = 0;
  for (const slice of slices) {
    const tenant = utf8Encode(slice.tenant);
    const fields = new ProtoWriter(tenant.length + SLICE_HEAD_BYTES);
    fields.bytesField(1, tenant);
    fields.tag(2, WIRE_BYTES);
    fields.varint(slice.length);
    heads.tag(1, WIRE_BYTES);
    heads.varint(fields.length + slice.length);
    heads.copy(fields.bytes, 0, fields.length);
    headEnds.push(heads.length);
    length += slice.length;
  }
  const frame = allocateGrpcFrame(heads.length + length);
  let at = PREFIX_BYTES;
  let headAt = 0;
  for (const [i, slice] of slices.entries()) {
    const headEnd = headEnds[i] as number;
    frame.set(heads.bytes.subarray(headAt, headEnd), at);
    at += headEnd - headAt;
    headAt = headEnd;
    slice.copyTo(frame, at);
    at += slice.length;
  }
  return frame;
}

/** The slices of a request, their traces as views on it. Throws `data` or `invalid`. */
export function decodePushRequest<B extends ArrayBufferLike>(
  message: Uint8Array<B>,
): { tenant: string; traces: Uint8Array<B> }[] {
  const slices: { tenant: string; traces: Uint8Array<B> }[] = [];
  const reader = new ProtoReader(message);
  while (reader.at < message.length) {
    const tag = reader.tag();
    if (tag !== SLICES) {
      reader.skip(tag & 7);
      continue;
    }
    if (slices.length === MAX_SLICES) {
      throw new VivaceError('invalid', 'push-request', `a call has at most ${MAX_SLICES} slices`);
    }
    const end = reader.length() + reader.at;
    reader.end = end;
    let tenant = '';
    let traces = message.subarray(0, 0);
    while (reader.at < end) {
      const field = reader.tag();
      if (field !== TENANT && field !== TRACES) {
        reader.skip(field & 7);
        continue;
      }
      const to = reader.length() + reader.at;
      const bytes = message.subarray(reader.at, to);
      if (field === TENANT) tenant = utf8Decode(bytes);
      else traces = bytes;
      reader.at = to;
    }
    slices.push({ tenant, traces });
    reader.end = message.length;
  }
  return slices;
}

export function encodePushResponse(outcomes: readonly PushOutcome[]): Uint8Array {
  const response = new ProtoWriter(32 * outcomes.length);
  for (const outcome of outcomes) {
    const at = response.open(1);
    if (outcome instanceof VivaceError) {
      const failure = response.open(4);
      response.stringField(1, outcome.kind);
      response.stringField(2, outcome.code);
      response.stringField(3, outcome.message);
      if (outcome.retryAfterMs !== undefined) varintField(response, 4, Math.ceil(outcome.retryAfterMs));
      response.close(failure);
    } else {
      varintField(response, 1, outcome.acceptedSpans);
      varintField(response, 2, outcome.rejectedSpans);
      if (outcome.firstReason !== undefined) response.stringField(3, outcome.firstReason);
    }
    response.close(at);
  }
  return response.toBytes();
}

/** Throws `data` for an answer that does not have one outcome for each of `count` slices. */
export function decodePushResponse(message: Uint8Array, count: number): PushOutcome[] {
  const outcomes: PushOutcome[] = [];
  const reader = new ProtoReader(message);
  while (reader.at < message.length) {
    const tag = reader.tag();
    if (tag !== 8 + WIRE_BYTES) {
      reader.skip(tag & 7);
      continue;
    }
    const end = reader.length() + reader.at;
    reader.end = end;
    outcomes.push(decodeOutcome(reader, end));
    reader.end = message.length;
    if (outcomes.length > count) break;
  }
  if (outcomes.length !== count) {
    throw dataError('push-response', `the answer is for ${outcomes.length} slices, not for ${count}`);
  }
  return outcomes;
}

function decodeOutcome(reader: ProtoReader, end: number): PushOutcome {
  const result: PushResult = { acceptedSpans: 0, rejectedSpans: 0 };
  let failure: VivaceError | undefined;
  while (reader.at < end) {
    const tag = reader.tag();
    if (tag === 8 + WIRE_VARINT) result.acceptedSpans = reader.varint();
    else if (tag === 16 + WIRE_VARINT) result.rejectedSpans = reader.varint();
    else if (tag === 24 + WIRE_BYTES) result.firstReason = text(reader);
    else if (tag === 32 + WIRE_BYTES) {
      const to = reader.length() + reader.at;
      reader.end = to;
      failure = decodeFailure(reader, to);
      reader.end = end;
    } else reader.skip(tag & 7);
  }
  return failure ?? result;
}

function decodeFailure(reader: ProtoReader, end: number): VivaceError {
  let kind = '';
  let code = '';
  let message = '';
  let retryAfterMs: number | undefined;
  while (reader.at < end) {
    const tag = reader.tag();
    if (tag === 8 + WIRE_BYTES) kind = text(reader);
    else if (tag === 16 + WIRE_BYTES) code = text(reader);
    else if (tag === 24 + WIRE_BYTES) message = text(reader);
    else if (tag === 32 + WIRE_VARINT) retryAfterMs = reader.varint();
    else reader.skip(tag & 7);
  }
  // A kind that a newer process has is none that a caller could do something about.
  return new VivaceError(
    isErrorKind(kind) ? kind : 'internal',
    code,
    message,
    retryAfterMs === undefined ? {} : { retryAfterMs },
  );
}

function varintField(writer: ProtoWriter, field: number, value: number): void {
  writer.tag(field, WIRE_VARINT);
  writer.varint(value);
}

function text(reader: ProtoReader): string {
  const to = reader.length() + reader.at;
  const decoded = utf8Decode(reader.bytes.subarray(reader.at, to));
  reader.at = to;
  return decoded;
}
