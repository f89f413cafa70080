import { AttributeTypes, type TraceMatch } from '@vivace/block-query';
import { messageToProto } from './message-proto.ts';
import { searchTrace } from './search-answer.ts';
import { SEARCH_RESPONSE, SEARCH_TRACE, type SearchMetrics, type SearchTrace } from './tempopb.ts';

/** A message and what gRPC puts around it stay below one megabyte; Grafana's client takes four. */
export const PACKET_BYTES = 1024 * 1024 - 1024;
const TRACES_FIELD = SEARCH_RESPONSE.traces.number;

/**
 * Makes messages of traces as they come. Grafana keeps the first copy of a trace that it is sent, so each goes out
 * once and whole; one that fills a message alone is cut to the spans that fit, and `matched` still counts all.
 */
export class SearchPackets {
  private readonly types = new AttributeTypes();
  private readonly spansets: boolean;
  private cutTraces = 0;

  constructor({ spansets }: { spansets: boolean }) {
    this.spansets = spansets;
  }

  /** The messages for traces that are final, at least one; each has the progress. */
  *encode(traces: readonly TraceMatch[], metrics: SearchMetrics): Generator<Uint8Array> {
    this.types.settle(traces);
    const progress = messageToProto({ metrics: SEARCH_RESPONSE.metrics }, { metrics });
    let packet: Uint8Array[] = [progress];
    let bytes = progress.length;
    for (const match of traces) {
      const encoded = this.encodeTrace(match, PACKET_BYTES - progress.length);
      if (bytes + encoded.length > PACKET_BYTES && packet.length > 1) {
        yield Buffer.concat(packet);
        packet = [progress];
        bytes = progress.length;
      }
      packet.push(encoded);
      bytes += encoded.length;
    }
    yield Buffer.concat(packet);
  }

  /** What could not go out as it was found; undefined when everything did. */
  get leftOut(): string | undefined {
    const reasons: string[] = [];
    if (this.cutTraces > 0) reasons.push(`${this.cutTraces} traces have more spans than fit in a message: lower spss`);
    const keys = [...this.types.leftOut].sort();
    if (keys.length > 0) {
      reasons.push(`values of another type than the first ones were left out of ${keys.slice(0, 10).join(', ')}`);
    }
    return reasons.length === 0 ? undefined : reasons.join('; ');
  }

  private encodeTrace(match: TraceMatch, maxBytes: number): Uint8Array {
    const trace = searchTrace(match, { types: this.types, spansets: this.spansets });
    let encoded = encodeField(trace);
    if (encoded.length <= maxBytes) return encoded;
    this.cutTraces++;
    const sets = trace.spanSets ?? [];
    let keep = sets.reduce((most, set) => Math.max(most, set.spans.length), 0);
    // The set that is sent a second time for older clients goes first.
    delete trace.spanSet;
    while (keep > 0 && encodeField(trace).length > maxBytes) {
      keep >>= 1;
      for (const set of sets) set.spans.length = Math.min(set.spans.length, keep);
    }
    encoded = encodeField(trace);
    if (encoded.length <= maxBytes) return encoded;
    // Groups and services alone are too much: what is left is that the trace matched.
    return encodeField({ ...trace, spanSets: [], serviceStats: new Map() });
  }
}

/** A trace as the field of a response, which joins others by concatenation. */
function encodeField(trace: SearchTrace): Uint8Array {
  return messageToProto({ trace: { number: TRACES_FIELD, type: { message: SEARCH_TRACE } } }, { trace });
}
