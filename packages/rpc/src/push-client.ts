import type { GrpcChannel } from '@vivace/http';
import { decodePushResponse, encodePushRequest, type PushOutcome, type RemoteSlice } from './push-messages.ts';
import { PUSH } from './push-service.ts';

export type { PushOutcome, RemoteSlice } from './push-messages.ts';

export interface PushClient {
  /**
   * Sends slices in one call; one outcome for each, in their order. Rejects when the call itself failed: nothing is
   * known of any of them then. The bytes of the slices may change as soon as this has returned.
   */
  push(slices: readonly RemoteSlice[], options: { timeoutMs: number; signal?: AbortSignal }): Promise<PushOutcome[]>;
}

/** The longest answer: a reason for each slice. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

export function createPushClient(channel: GrpcChannel): PushClient {
  return {
    push: async (slices, { timeoutMs, signal }) => {
      const frame = encodePushRequest(slices);
      const answer = await channel.call({ path: PUSH, frame, timeoutMs, signal, maxAnswerBytes: MAX_ANSWER_BYTES });
      return decodePushResponse(answer, slices.length);
    },
  };
}
