import { decodeRawTraces, spanTexts } from '@vivace/otlp/testing';

// oxlint-disable-next-line typescript/no-explicit-any -- decoded OTLP is walked by name
type Plain = any;

export interface SoundSpans {
  accepted: number;
  rejected: number;
  /** Different ones: a span that is sent twice is stored once. */
  identities: number;
  /** As `spanTexts` has them. */
  texts: Set<string>;
}

/** What an independent decoder finds in a request; undefined where it cannot read it. */
export function soundSpans(request: Uint8Array): SoundSpans | undefined {
  let traces: Plain;
  try {
    traces = decodeRawTraces(request);
  } catch {
    return undefined;
  }
  let accepted = 0;
  let rejected = 0;
  const identities = new Set<string>();
  for (const { scopeSpans = [] } of traces.resourceSpans ?? []) {
    for (const scope of scopeSpans) {
      const sound = (scope.spans ?? []).filter((span: Plain) => isId(span.traceId, 16) && isId(span.spanId, 8));
      rejected += (scope.spans ?? []).length - sound.length;
      accepted += sound.length;
      for (const span of sound) {
        // Kinds beyond 255 do not tell spans apart.
        const kind = span.kind >= 0 && span.kind <= 255 ? span.kind : 0;
        identities.add(`${span.traceId} ${span.spanId} ${kind} ${span.startTimeUnixNano ?? '0'}`);
      }
      scope.spans = sound;
    }
  }
  return { accepted, rejected, identities: identities.size, texts: new Set(spanTexts(traces)) };
}

function isId(base64: string | undefined, length: number): boolean {
  const bytes = Buffer.from(base64 ?? '', 'base64');
  return bytes.length === length && bytes.some((byte) => byte !== 0);
}

/** Whether any span of a readable request has two statuses. */
export function hasRepeatedStatus(request: Uint8Array): boolean {
  const path = [1, 2, 2];
  const walk = (from: number, end: number, depth: number): boolean => {
    let statuses = 0;
    for (let at = from; at < end; ) {
      const [tag, afterTag] = varint(request, at);
      const field = Math.floor(tag / 8);
      const wire = tag % 8;
      let to: number;
      if (wire === 2) {
        const [length, start] = varint(request, afterTag);
        to = start + length;
        if (depth < 3 && field === path[depth] && walk(start, to, depth + 1)) return true;
        if (depth === 3 && field === 15) statuses++;
      } else to = wire === 1 ? afterTag + 8 : wire === 5 ? afterTag + 4 : varint(request, afterTag)[1];
      at = to;
    }
    return statuses > 1;
  };
  return walk(0, request.length, 0);
}

function varint(bytes: Uint8Array, start: number): [value: number, next: number] {
  let value = 0;
  let scale = 1;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    value += (byte & 127) * scale;
    if (byte < 128) return [value, at + 1];
    scale *= 128;
  }
  return [value, bytes.length];
}
