import { isKind } from '@vivace/kernel';
import { tracesFromJson, tracesToJson, tracesToJsonPieces } from '@vivace/otlp';
import { expectThat, type FuzzTarget, oneIn, pick } from '../fuzz-target.ts';
import { mutateBytes } from '../mutate-bytes.ts';
import { mutateProtobuf } from '../mutate-protobuf.ts';
import { encodedTraces } from '../seeds.ts';

/**
 * Any bytes are written as JSON or give a `data` error. What is written is JSON, the same in one piece and in
 * many, and OTLP/JSON is read back.
 */
export function jsonAnswersTarget(seed: number): FuzzTarget {
  const seeds = encodedTraces(seed);
  return {
    keepBytes: 0,
    make(random) {
      const traces = pick(random, seeds);
      const other = pick(random, seeds);
      return oneIn(random, 3) ? mutateBytes(random, traces, other) : mutateProtobuf(random, traces, other);
    },
    check(traces) {
      for (const style of ['tempo', 'otlp'] as const) {
        let text: Uint8Array;
        try {
          text = tracesToJson(traces, { style });
        } catch (error) {
          if (!isKind(error, 'data')) throw error;
          continue;
        }
        JSON.parse(Buffer.from(text).toString());
        const pieces = Buffer.concat([...tracesToJsonPieces(traces, { style, pieceBytes: 100 })]);
        expectThat(pieces.equals(text), 'pieces are another text than the whole');
        if (style === 'otlp') tracesFromJson(text);
      }
    },
  };
}
