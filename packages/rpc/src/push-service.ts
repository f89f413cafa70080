import type { GrpcCall, GrpcMethod } from '@vivace/http';
import { assert, toVivaceError } from '@vivace/kernel';
import type { TraceSink } from '@vivace/otlp';
import { decodePushRequest, encodePushResponse, type PushOutcome } from './push-messages.ts';

export const PUSH = '/vivace.v1.Pusher/Push';

/** The service of proto/push.proto: every slice is a request to the sink. */
export function pushMethods(sink: TraceSink): Map<string, GrpcMethod> {
  const push = async ({ message, signal, send }: GrpcCall): Promise<void> => {
    const shared = message.buffer;
    assert(shared instanceof SharedArrayBuffer, 'slices are read into shared memory');
    const slices = decodePushRequest(new Uint8Array(shared, message.byteOffset, message.length));
    const outcomes = await Promise.all(
      // The bytes are of the call, which outlives the sink's use of them: there is nothing to release.
      slices.map(({ tenant, traces }) => outcomeOf(() => sink.push(tenant, { bytes: traces, release }, signal))),
    );
    await send(encodePushResponse(outcomes));
  };
  return new Map([[PUSH, push]]);
}

async function outcomeOf(push: () => ReturnType<TraceSink['push']>): Promise<PushOutcome> {
  try {
    return await push();
  } catch (error) {
    return toVivaceError(error);
  }
}

function release(): void {}
