import { dataError } from '@vivace/kernel';
import type { CallChannel } from './calls/call-channel.ts';
import {
  HEAD_ROWS,
  HEAD_TRACE,
  type HeadChunk,
  type HeadsAnswer,
  type HeadsRequest,
  type HeadTraceAnswer,
  type HeadTraceRequest,
} from './heads-messages.ts';
import { decodeParcel, encodeParcel } from './parcel.ts';

export interface CallOptions {
  timeoutMs: number;
  signal?: AbortSignal;
}

export interface HeadsClient {
  /** `onChunk` is called for every chunk that `have` has not. */
  rows(request: HeadsRequest, onChunk: (chunk: HeadChunk) => void, options: CallOptions): Promise<HeadsAnswer>;
  trace(request: HeadTraceRequest, options: CallOptions): Promise<HeadTraceAnswer>;
}

/** A message: the list of a head's chunks, one chunk, or what heads have of a trace. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

export function createHeadsClient(channel: CallChannel): HeadsClient {
  return {
    rows: async (request, onChunk, { timeoutMs, signal }) => {
      let answer: HeadsAnswer | undefined;
      const call = {
        path: HEAD_ROWS,
        message: encodeParcel(request),
        timeoutMs,
        signal,
        maxAnswerBytes: MAX_ANSWER_BYTES,
      };
      for await (const message of channel.stream(call)) {
        const value = decodeParcel(message);
        if (answer === undefined) answer = value as HeadsAnswer;
        else onChunk(value as HeadChunk);
      }
      if (answer === undefined) throw dataError('heads-answer', 'the answer of an ingester is empty');
      return answer;
    },
    trace: async (request, { timeoutMs, signal }) => {
      const message = encodeParcel(request);
      const answer = await channel.call({
        path: HEAD_TRACE,
        message,
        timeoutMs,
        signal,
        maxAnswerBytes: MAX_ANSWER_BYTES,
      });
      return decodeParcel(answer) as HeadTraceAnswer;
    },
  };
}
