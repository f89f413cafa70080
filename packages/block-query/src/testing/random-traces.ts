import type { Random } from '@vivace/kernel';
import { encodeTraces, type PlainTraces } from '@vivace/otlp/testing';
import { BASE_UNIX_NANO } from './dataset.ts';
import { below, chance, pick, several } from './random-choice.ts';

/**
 * Traces for comparing evaluators: few ids, keys and values, so that queries hit, and everything that is easy to get
 * wrong: resends, missing parents, circles, shared span ids, keys of several types and given twice, arrays, the ends
 * of the integers, NaN, names like `__proto__`. Random queries use the same names and values.
 */
const NAMES = ['GET /', 'load', 'SELECT', ''] as const;
export const KEYS = ['a', 'b', 'c', '__proto__', 'service.name', 'name', 'with space'] as const;
const STRINGS = ['x', 'y', 'xy', '', '7', 'é', '\u{1f600}'] as const;
const INTEGERS = ['0', '1', '2', '7', '-7', '9223372036854775807', '-9223372036854775808', '9007199254740993'];
const FLOATS = [0, -0, 0.5, 1, 7, 7.5, -7.5, Number.NaN, Number.POSITIVE_INFINITY, 9007199254740992] as const;
const SERVICES = ['shop', 'db', 'mail'] as const;
const SPAN_IDS = 12;
const TRACE_IDS = [
  '00000000000000000000000000000001',
  '0000000000000000000000000000000a',
  'a0000000000000000000000000000000',
];

/** Requests in the order in which they arrive; `traces` is how many there are at most. */
export function randomTraces(random: Random, { traces = 8 }: { traces?: number } = {}): Uint8Array[] {
  const spans: PlainTraces[] = [];
  for (let trace = below(random, traces) + 1; trace > 0; trace--) {
    const traceId = Buffer.from(pick(random, TRACE_IDS), 'hex');
    traceId[8] = below(random, traces);
    const start = BASE_UNIX_NANO + BigInt(below(random, 60)) * 1_000_000_000n;
    for (let count = below(random, 10) + 1; count > 0; count--) spans.push(randomSpan(random, traceId, start));
  }
  const resends = spans.filter(() => chance(random, 0.2)).map((span) => resent(random, span));
  const sent = [...spans, ...resends];
  // No two end at the same time: which of equally long ones stays would be left to hashes.
  for (const [index, span] of sent.entries())
    span.endTimeUnixNano = String(BigInt(span.endTimeUnixNano as string) + BigInt(index));
  const batches = Array.from({ length: below(random, 3) + 1 }, (): PlainTraces[] => []);
  for (const span of sent) pick(random, batches).push(span);
  const requests = batches.map((some) => encodeTraces({ resourceSpans: grouped(random, some) }));
  return chance(random, 0.2) ? [...requests, pick(random, requests)] : requests;
}

/** Each span with a resource and scope of its own, or with those of its neighbour. */
function grouped(random: Random, spans: PlainTraces[]): PlainTraces[] {
  const groups: PlainTraces[] = [];
  for (const span of spans) {
    const last = groups.at(-1) as { scopeSpans: { spans: PlainTraces[] }[] } | undefined;
    if (last !== undefined && chance(random, 0.6)) last.scopeSpans[0]?.spans.push(span);
    else groups.push({ ...randomResource(random), scopeSpans: [{ ...randomScope(random), spans: [span] }] });
  }
  return groups;
}

function randomResource(random: Random): PlainTraces {
  if (chance(random, 0.1)) return {};
  const attributes = randomAttributes(random, 2);
  const service = { key: 'service.name', value: { stringValue: pick(random, SERVICES) } };
  return { resource: { attributes: chance(random, 0.9) ? [service, ...attributes] : attributes } };
}

function randomScope(random: Random): PlainTraces {
  if (chance(random, 0.3)) return {};
  const name = pick(random, ['lib', 'http', '']);
  return { scope: { name, version: pick(random, ['1.2', '']), attributes: randomAttributes(random, 1) } };
}

function randomSpan(random: Random, traceId: Uint8Array, traceStart: bigint): PlainTraces {
  const start = traceStart + BigInt(below(random, 20)) * 500_000_000n;
  const duration = pick(random, [
    0n,
    1n,
    3n,
    1_000_000n,
    40_000_000n,
    50_000_000n,
    100_000_000n,
    2_000_000_000n,
    -9000n,
  ]);
  return {
    traceId,
    spanId: randomSpanId(random),
    ...(chance(random, 0.75) ? { parentSpanId: randomSpanId(random) } : {}),
    name: pick(random, NAMES),
    kind: chance(random, 0.05) ? 9 : below(random, 6),
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + duration),
    attributes: randomAttributes(random, 4),
    events: several(random, 3, () => ({
      timeUnixNano: String(start + BigInt(below(random, 5) - 1) * 1_000_000n),
      name: pick(random, ['exception', 'retry', '']),
      attributes: randomAttributes(random, 2),
    })),
    links: several(random, 2, () => ({
      traceId: Buffer.from(pick(random, TRACE_IDS), 'hex'),
      spanId: randomSpanId(random),
      attributes: randomAttributes(random, 1),
    })),
    status: chance(random, 0.2) ? undefined : { code: below(random, 3), message: pick(random, ['', 'timeout', 'x']) },
  };
}

/** The same identity, and something else in it. */
function resent(random: Random, span: PlainTraces): PlainTraces {
  const end = BigInt(span.endTimeUnixNano as string) + BigInt(below(random, 3) - 1) * 1_000_000n;
  return { ...span, endTimeUnixNano: String(end), attributes: randomAttributes(random, 4), name: pick(random, NAMES) };
}

function randomSpanId(random: Random): Uint8Array {
  const id = new Uint8Array(8);
  id[chance(random, 0.1) ? 0 : 7] = below(random, SPAN_IDS) + 1;
  return id;
}

function randomAttributes(random: Random, most: number): PlainTraces[] {
  return several(random, most, () => ({ key: pick(random, KEYS), value: randomValue(random, 2) }));
}

function randomValue(random: Random, depth: number): PlainTraces {
  switch (below(random, depth > 0 ? 12 : 8)) {
    case 0:
    case 1:
    case 2:
      return { stringValue: pick(random, STRINGS) };
    case 3:
    case 4:
      return { intValue: pick(random, INTEGERS.slice(0, chance(random, 0.2) ? INTEGERS.length : 5)) };
    case 5:
    case 6:
      return { doubleValue: pick(random, FLOATS) };
    case 7:
      return { boolValue: chance(random, 0.5) };
    case 8:
    case 9:
      return { arrayValue: { values: several(random, 3, () => randomValue(random, depth - 1)) } };
    case 10:
      return { kvlistValue: { values: [{ key: pick(random, KEYS), value: randomValue(random, depth - 1) }] } };
    default:
      return chance(random, 0.5) ? { bytesValue: Uint8Array.of(0, 255, below(random, 3)) } : {};
  }
}
