import { createGrpcChannel } from '@vivace/http';
import { systemClock, VivaceError } from '@vivace/kernel';
import type { TraceSink } from '@vivace/otlp';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ChannelPool, createPushClient } from './index.ts';
import {
  decodePushRequest,
  decodePushResponse,
  encodePushRequest,
  encodePushResponse,
  MAX_SLICES,
  type PushOutcome,
} from './push-messages.ts';
import { describeTraceSink, startPushServer } from './testing.ts';

describeTraceSink('in one process', async (inner) => inner);

describeTraceSink('to another process', async (inner) => {
  const callee = await startPushServer(inner);
  const channels = new ChannelPool({ open: createGrpcChannel, clock: systemClock });
  onTestFinished(() => channels.close());
  const client = createPushClient(channels.get(callee));
  return {
    push: async (tenant, { bytes }) => {
      const slice = { tenant, length: bytes.length, copyTo: (to: Uint8Array, at: number) => to.set(bytes, at) };
      const [outcome] = await client.push([slice], { timeoutMs: 5000 });
      if (outcome instanceof VivaceError) throw outcome;
      return outcome as Awaited<ReturnType<TraceSink['push']>>;
    },
  };
});

const schema = protobuf.loadSync(new URL('../proto/push.proto', import.meta.url).pathname);
const REQUEST = schema.lookupType('vivace.v1.PushRequest');
const RESPONSE = schema.lookupType('vivace.v1.PushResponse');

const slices = fc.array(
  fc.record({ tenant: fc.string({ maxLength: 20 }), traces: fc.uint8Array({ maxLength: 400 }) }),
  {
    maxLength: 6,
  },
);

function encoded(list: { tenant: string; traces: Uint8Array }[]): Uint8Array {
  return encodePushRequest(
    list.map(({ tenant, traces }) => ({
      tenant,
      length: traces.length,
      copyTo: (to: Uint8Array, at: number) => to.set(traces, at),
    })),
  ).subarray(5);
}

describe('the messages of a push', () => {
  test('are those of push.proto, and come back as they were', () => {
    fc.assert(
      fc.property(slices, (list) => {
        const message = encoded(list);
        expect(decodePushRequest(message).map(({ tenant, traces }) => ({ tenant, traces: [...traces] }))).toEqual(
          list.map(({ tenant, traces }) => ({ tenant: Buffer.from(tenant).toString(), traces: [...traces] })),
        );
        const known = REQUEST.toObject(REQUEST.decode(message), { defaults: true, bytes: Array }) as {
          slices: { tenant: string; traces: number[] }[];
        };
        expect(known.slices).toEqual(
          list.map(({ tenant, traces }) => ({ tenant: Buffer.from(tenant).toString(), traces: [...traces] })),
        );
      }),
    );
  });

  test('answers too', () => {
    const outcomes: PushOutcome[] = [
      { acceptedSpans: 3_000_000_000, rejectedSpans: 0 },
      { acceptedSpans: 0, rejectedSpans: 1, firstReason: 'why' },
      new VivaceError('limited', 'over-rate', 'slower', { retryAfterMs: 0 }),
      new VivaceError('internal', 'internal', ''),
    ];
    const message = encodePushResponse(outcomes);
    const known = RESPONSE.toObject(RESPONSE.decode(message), { longs: Number }) as { outcomes: object[] };
    expect(known.outcomes[0]).toMatchObject({ acceptedSpans: 3_000_000_000 });
    expect(known.outcomes[2]).toMatchObject({ failure: { kind: 'limited', code: 'over-rate', retryAfterMs: 0 } });
    const back = decodePushResponse(message, 4);
    expect(back.slice(0, 2)).toEqual(outcomes.slice(0, 2));
    expect(back[2]).toMatchObject({ kind: 'limited', code: 'over-rate', message: 'slower', retryAfterMs: 0 });
    expect(back[3]).toMatchObject({ kind: 'internal', retryAfterMs: undefined });
    for (const count of [0, 3, 5]) expect(() => decodePushResponse(message, count)).toThrow('the answer is for');
  });

  test('a kind that is not known here is a defect, not a word that is believed', () => {
    const failure = { kind: 'constructor', code: 'x', message: 'y' };
    const message = RESPONSE.encode(RESPONSE.fromObject({ outcomes: [{ failure }] })).finish();
    expect(decodePushResponse(message, 1)[0]).toMatchObject({ kind: 'internal' });
  });

  test('a message that is cut or flipped anywhere is refused or read within its bounds', () => {
    const list = [
      { tenant: 'a', traces: new Uint8Array(40).fill(7) },
      { tenant: 'b', traces: new Uint8Array(3) },
    ];
    for (const message of [
      encoded(list),
      encodePushResponse([{ acceptedSpans: 1, rejectedSpans: 2, firstReason: 'z' }]),
    ]) {
      for (let at = 0; at < message.length; at++) {
        for (const bit of [0, 3, 7]) {
          const flipped = new Uint8Array(message);
          flipped[at] = (flipped[at] as number) ^ (1 << bit);
          for (const bytes of [flipped, message.slice(0, at)]) {
            for (const decode of [() => decodePushRequest(bytes), () => decodePushResponse(bytes, 1)]) {
              try {
                decode();
              } catch (error) {
                expect(error).toMatchObject({ kind: 'data' });
              }
            }
          }
        }
      }
    }
  });

  test('more slices than a call may have are refused', () => {
    const none = { tenant: '', traces: new Uint8Array(0) };
    const list = Array.from({ length: MAX_SLICES }, () => none);
    expect(decodePushRequest(encoded(list))).toHaveLength(MAX_SLICES);
    expect(() => decodePushRequest(encoded([...list, none]))).toThrow('at most 4096 slices');
  });
});
