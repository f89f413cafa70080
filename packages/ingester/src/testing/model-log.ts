import { isKind } from '@vivace/kernel';
import type { SimulatedLog } from '@vivace/manifest/testing';
import type { SealedStream, SegmentPosition, SegmentState, WriteAheadLog } from '@vivace/wal';

/** The model's log with what `WriteAheadLog` promises of streams that were taken over: they are listed until they are dropped. */
export function createModelLog(log: SimulatedLog): WriteAheadLog {
  const sealed = new Map<string, SegmentState[]>();
  const closed = new Set<string>();
  return {
    shared: false,
    get position() {
      return log.position;
    },
    get bytes() {
      return log.bytes;
    },
    get undurableBytes() {
      return log.undurableBytes;
    },
    append: (tenant, record) => {
      const { position, durable } = log.append(tenant, record);
      durable.catch(() => undefined);
      return { position, durable };
    },
    rotate: () => log.rotate(),
    streams: () =>
      log
        .streams()
        .filter(({ stream }) => !closed.has(stream))
        .map((state) => ({ ...state, segments: sealed.get(state.stream) ?? state.segments })),
    look: async () => ({ found: [], foreign: [] }),
    seal: async (stream): Promise<SealedStream> => {
      const found = await log.seal(stream).catch((error: unknown) => {
        // Closed by its dead owner, whose last request landed late.
        if (isKind(error, 'not-found')) return undefined;
        throw error;
      });
      sealed.set(stream, found?.segments ?? []);
      if (!found || found.segments.length === 0) {
        closed.add(stream);
        if (found) await log.drop({ stream, segment: 0 });
      }
      return found ?? { stream, segments: [], damage: [] };
    },
    read: (at, signal, tenant) => log.read(at, signal, tenant),
    drop: async (at: SegmentPosition) => {
      await log.drop(at);
      const left = sealed.get(at.stream)?.filter(({ segment }) => segment > at.segment);
      if (left === undefined) return;
      sealed.set(at.stream, left);
      if (left.length === 0) closed.add(at.stream);
    },
    stop: () => log.stop(),
  };
}
