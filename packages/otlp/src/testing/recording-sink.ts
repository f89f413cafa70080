import type { PushResult, TraceSink } from '../trace-sink.ts';

export interface RecordingSink extends TraceSink {
  /** What was pushed, as copies: the buffers themselves are used again. */
  readonly pushes: { tenant: string; bytes: Uint8Array; signal: AbortSignal }[];
  /** Decides the next answers; by default one accepted span. */
  answer: (signal: AbortSignal) => Promise<PushResult>;
}

/** A sink that keeps what it gets and answers as the test wants. */
export function createRecordingSink(): RecordingSink {
  const sink: RecordingSink = {
    pushes: [],
    answer: async () => ({ acceptedSpans: 1, rejectedSpans: 0 }),
    push(tenant, request, signal) {
      sink.pushes.push({ tenant, bytes: new Uint8Array(request.bytes), signal });
      return sink.answer(signal);
    },
  };
  return sink;
}
