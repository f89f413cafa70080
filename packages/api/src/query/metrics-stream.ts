import type { MetricsPart } from '../query-engine.ts';
import { messageToProto } from './message-proto.ts';
import { instantSeries, metricsRest, rangeSeries } from './metrics-answer.ts';
import { PACKET_BYTES } from './search-stream.ts';
import { INSTANT_SERIES, QUERY_RANGE_RESPONSE, SERIES } from './tempopb.ts';

/**
 * Grafana puts the series of range messages together, but takes the last message of one-value answers for the
 * whole: those cannot be split, and this is what its client receives at most, less what surrounds it.
 */
const WHOLE_BYTES = 3 * 1024 * 1024;

const { metrics, status, message, series } = QUERY_RANGE_RESPONSE;

/** The messages of a part, at least one; each has the progress and the status. */
export function* metricsMessages(
  part: MetricsPart,
  { instant, maxSeries }: { instant: boolean; maxSeries: number },
): Generator<Uint8Array> {
  const told = metricsRest(part, maxSeries);
  const rest = messageToProto({ metrics, status, message }, told);
  const maxBytes = instant ? WHOLE_BYTES : PACKET_BYTES;
  let packet: Uint8Array[] = [rest];
  let bytes = rest.length;
  for (const encoded of encodeSeries(part, instant)) {
    if (bytes + encoded.length > maxBytes && packet.length > 1) {
      if (instant) {
        const reason = `more series than fit in a message of ${WHOLE_BYTES} bytes: group by less, or filter more`;
        packet[0] = messageToProto({ metrics, status, message }, { ...told, status: 'PARTIAL', message: reason });
        break;
      }
      yield Buffer.concat(packet);
      packet = [rest];
      bytes = rest.length;
    }
    packet.push(encoded);
    bytes += encoded.length;
  }
  yield Buffer.concat(packet);
}

/** Each series as the field of a response. */
function* encodeSeries(part: MetricsPart, instant: boolean): Generator<Uint8Array> {
  const { number } = series;
  if (instant) {
    for (const one of instantSeries(part.series)) {
      yield messageToProto({ one: { number, type: { message: INSTANT_SERIES } } }, { one });
    }
    return;
  }
  for (const one of part.series) {
    yield messageToProto({ one: { number, type: { message: SERIES } } }, { one: rangeSeries(one) });
  }
}
