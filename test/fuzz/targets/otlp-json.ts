import { isDeepStrictEqual } from 'node:util';
import { Columnizer, ColumnSet } from '@vivace/columns';
import { isKind } from '@vivace/kernel';
import { tracesFromJson, tracesToJson } from '@vivace/otlp';
import { decodeShownTraces, normalTraces } from '@vivace/otlp/testing';
import { expectThat, type FuzzTarget, oneIn, pick } from '../fuzz-target.ts';
import { mutateBytes } from '../mutate-bytes.ts';
import { mutateJson } from '../mutate-json.ts';
import { encodedTraces } from '../seeds.ts';

const limits = { maxAttributeBytes: 1 << 20, maxTraceBytes: 1 << 30 };

/**
 * OTLP/JSON becomes protobuf or gives an `invalid` error. What is taken is JSON to JSON.parse too, and the
 * protobuf is readable by an independent decoder and by the columnizer, and as JSON again the same (what is not UTF-8 as U+FFFD).
 */
export function otlpJsonTarget(seed: number): FuzzTarget {
  const seeds = encodedTraces(seed).map((bytes) => tracesToJson(bytes, { style: 'otlp' }));
  return {
    keepBytes: 0,
    make(random) {
      const text = pick(random, seeds);
      const other = pick(random, seeds);
      return oneIn(random, 4) ? mutateBytes(random, text, other) : mutateJson(random, text, other);
    },
    check(text) {
      let traces: Uint8Array;
      try {
        traces = tracesFromJson(text).slice();
      } catch (error) {
        if (!isKind(error, 'invalid')) throw error;
        return;
      }
      expectThat(isJson(text), 'text was taken that is not JSON');
      expectThat(traces.length <= 2 * text.length + 64, `${text.length} bytes of JSON became ${traces.length}`);
      const decoded = normalTraces(decodeShownTraces(traces));
      const again = tracesFromJson(tracesToJson(traces, { style: 'otlp' }));
      expectThat(
        isDeepStrictEqual(normalTraces(decodeShownTraces(again)), decoded),
        'written as JSON and read again it is something else',
      );
      try {
        new Columnizer(new ColumnSet({ seed: 7, maxColumns: 100 }), limits).add(traces);
      } catch (error) {
        if (!isKind(error, 'data')) throw error;
      }
    },
  };
}

function isJson(text: Uint8Array): boolean {
  try {
    // Bytes that are not UTF-8 may stand in strings: they are passed on as they are.
    JSON.parse(Buffer.from(text).toString('latin1'));
    return true;
  } catch {
    return false;
  }
}
