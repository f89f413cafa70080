import { Columnizer, ColumnSet, encodeSpans, mergeTrace } from '@vivace/columns';
import { isKind, type Random } from '@vivace/kernel';
import { tracesToJson } from '@vivace/otlp';
import { decodeRawTraces, encodeTraces, spanTexts } from '@vivace/otlp/testing';
import { below, expectThat, type FuzzTarget, oneIn, pick } from '../fuzz-target.ts';
import { mutateBytes } from '../mutate-bytes.ts';
import { mutateProtobuf } from '../mutate-protobuf.ts';
import { hasRepeatedStatus, soundSpans } from '../otlp-spans.ts';
import { encodedTraces } from '../seeds.ts';

const limits = { maxAttributeBytes: 1 << 20, maxTraceBytes: 1 << 30 };

/** Sent before every input: a request that turns out to be malformed leaves it as it was. */
const WITNESS = encodeTraces({
  resourceSpans: [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'witness' } }] },
      scopeSpans: [{ spans: [{ traceId: Buffer.alloc(16, 0xee), spanId: Buffer.alloc(8, 0xee), name: 'witness' }] }],
    },
  ],
});
const WITNESS_TEXTS = spanTexts(decodeRawTraces(WITNESS));

/**
 * An ExportTraceServiceRequest is refused with a `data` error and nothing of it is visible, or its sound spans
 * are stored: what an independent decoder finds in the request, it finds in what the column set gives back.
 */
export function otlpProtoTarget(seed: number): FuzzTarget {
  const seeds = encodedTraces(seed);
  return {
    keepBytes: 0,
    make(random: Random) {
      const request = pick(random, seeds);
      const other = pick(random, seeds);
      return oneIn(random, 3) ? mutateBytes(random, request, other) : mutateProtobuf(random, request, other);
    },
    check(request) {
      // Few columns send attributes down the path of those without one.
      const maxColumns = below({ u32: () => request.length * 2654435761, bytes: () => request }, 3) === 0 ? 4 : 1000;
      const set = new ColumnSet({ seed: 7, maxColumns });
      const columnizer = new Columnizer(set, limits);
      columnizer.add(WITNESS);
      try {
        const { accepted, rejected } = columnizer.add(request);
        const expected = soundSpans(request);
        expectThat(expected !== undefined, 'what an independent decoder refuses is accepted');
        expectThat(accepted === expected.accepted, `accepted ${accepted} spans of ${expected.accepted}`);
        expectThat(rejected === expected.rejected, `rejected ${rejected} spans of ${expected.rejected}`);
        expectStored(set, request, expected.texts, expected.identities);
      } catch (error) {
        if (!isKind(error, 'data')) throw error;
        const texts = storedTexts(set);
        expectThat(
          texts.length === 1 && texts[0] === WITNESS_TEXTS[0],
          `${texts.length - 1} spans of a refused request are visible`,
        );
      }
    },
  };
}

function expectStored(set: ColumnSet, request: Uint8Array, texts: ReadonlySet<string>, identities: number): void {
  const stored = storedTexts(set).filter((text) => text !== WITNESS_TEXTS[0]);
  expectThat(stored.length === identities, `${stored.length} spans are stored of ${identities} that were sent`);
  // protobufjs replaces a message that comes twice, where protobuf says to merge; a status is stored merged.
  if (hasRepeatedStatus(request)) return;
  for (const text of stored) expectThat(texts.has(text), `a stored span is none that was sent: ${text}`);
}

/** Every live span, read back by the independent decoder; JSON must be able to show it, too. */
function storedTexts(set: ColumnSet): string[] {
  const found: string[] = [];
  for (let trace = 0; trace < set.traces.count; trace++) {
    const spans = encodeSpans(set.view(), set.traces.rows(trace));
    if (spans.count === 0) continue;
    const { bytes } = mergeTrace([spans], { maxBytes: 1 << 30 });
    found.push(...spanTexts(decodeRawTraces(bytes)));
    JSON.parse(Buffer.from(tracesToJson(bytes, { style: 'tempo' })).toString());
  }
  return found.sort();
}
