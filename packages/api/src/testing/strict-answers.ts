/**
 * Decoders of answers as strict as those of Grafana's data source, which fails a whole search for one field that
 * it does not know, and ends with a panic for an attribute without a value, for one that is an array, and for a key
 * whose values have several types. What would break it throws here and says where.
 */

type Check = (value: unknown, at: string) => void;

export interface StrictAttribute {
  key: string;
  value: { stringValue?: string; intValue?: string; doubleValue?: number | string; boolValue?: boolean };
}

export interface StrictSpan {
  spanID: string;
  name?: string;
  startTimeUnixNano: string;
  durationNanos?: string;
  attributes?: StrictAttribute[];
}

export interface StrictSpanSet {
  spans: StrictSpan[];
  matched?: number;
  attributes?: StrictAttribute[];
}

export interface StrictTrace {
  traceID: string;
  rootServiceName: string;
  rootTraceName?: string;
  startTimeUnixNano: string;
  durationMs?: number;
  spanSet?: StrictSpanSet;
  spanSets?: StrictSpanSet[];
  serviceStats?: Record<string, { spanCount?: number; errorCount?: number }>;
}

export interface StrictMetrics {
  inspectedTraces?: number;
  inspectedBytes?: string;
  totalBlocks?: number;
  completedJobs?: number;
  totalJobs?: number;
  totalBlockBytes?: string;
  inspectedSpans?: string;
}

export interface StrictSearch {
  traces: StrictTrace[];
  metrics: StrictMetrics;
}

export interface StrictInstant {
  series?: { labels?: StrictAttribute[]; value?: number | string }[];
  metrics: StrictMetrics;
  status?: 'PARTIAL';
  message?: string;
}

export interface StrictRange {
  series?: {
    labels?: StrictAttribute[];
    samples?: { timestampMs: string; value?: number | string }[];
    exemplars?: { labels: StrictAttribute[]; value: number | string; timestampMs: string }[];
  }[];
  metrics: StrictMetrics;
  status?: 'PARTIAL';
  message?: string;
}

/** The body of `/api/search`. */
export function decodeSearchStrictly(body: string): StrictSearch {
  const search = decode(body, searchShape) as StrictSearch;
  const classes = new Map<string, string>();
  for (const [i, trace] of search.traces.entries()) {
    const at = `traces[${i}]`;
    if (trace.spanSet !== undefined && JSON.stringify(trace.spanSet) !== JSON.stringify(trace.spanSets?.[0])) {
      throw new Error(`${at}.spanSet is another than spanSets[0]`);
    }
    if (trace.spanSet !== undefined && trace.spanSets?.length !== 1) throw new Error(`${at}.spanSet hides sets`);
    for (const { spans } of trace.spanSets ?? []) {
      for (const span of spans) for (const attribute of span.attributes ?? []) oneType(classes, attribute, at);
    }
  }
  return search;
}

/** The body of `/api/metrics/query`. */
export function decodeInstantStrictly(body: string): StrictInstant {
  return decode(body, instantShape) as StrictInstant;
}

/** The body of `/api/metrics/query_range`, which Grafana reads less strictly than this. */
export function decodeRangeStrictly(body: string): StrictRange {
  return decode(body, rangeShape) as StrictRange;
}

function decode(body: string, shape: Check): unknown {
  const value: unknown = JSON.parse(body);
  shape(value, '');
  return value;
}

/** Integers and doubles go together in one column, nothing else does. */
function oneType(classes: Map<string, string>, { key, value }: StrictAttribute, at: string): void {
  const [member = ''] = Object.keys(value);
  const type = member === 'intValue' || member === 'doubleValue' ? 'number' : member;
  const before = classes.get(key) ?? type;
  if (before !== type) throw new Error(`${at}: attribute ${key} is a ${type} after a ${before}: panic`);
  classes.set(key, type);
}

const text: Check = (value, at) => {
  if (typeof value !== 'string') throw new Error(`${at} is no string`);
};
const flag: Check = (value, at) => {
  if (typeof value !== 'boolean') throw new Error(`${at} is no boolean`);
};
const uint32: Check = (value, at) => {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > 0xffffffff) {
    throw new Error(`${at} is no uint32: ${JSON.stringify(value)}`);
  }
};
const integer64 =
  (least: bigint, most: bigint): Check =>
  (value, at) => {
    const valid = typeof value === 'string' && /^-?\d+$/.test(value) && BigInt(value) >= least && BigInt(value) <= most;
    if (!valid) throw new Error(`${at} is no 64-bit integer in a string: ${JSON.stringify(value)}`);
  };
const uint64 = integer64(0n, (1n << 64n) - 1n);
const int64 = integer64(-(1n << 63n), (1n << 63n) - 1n);
const double: Check = (value, at) => {
  if (typeof value !== 'number' && !['NaN', 'Infinity', '-Infinity'].includes(value as string)) {
    throw new Error(`${at} is no double: ${JSON.stringify(value)}`);
  }
};
const hex =
  (pattern: RegExp): Check =>
  (value, at) => {
    if (typeof value !== 'string' || !pattern.test(value)) throw new Error(`${at} is no id: ${JSON.stringify(value)}`);
  };

function list(of: Check): Check {
  return (value, at) => {
    if (!Array.isArray(value)) throw new Error(`${at} is no list`);
    for (const [i, item] of value.entries()) of(item, `${at}[${i}]`);
  };
}

function object(shape: Record<string, Check>, required: readonly string[] = []): Check {
  return (value, at) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${at} is no object`);
    for (const [name, item] of Object.entries(value)) {
      const check = Object.hasOwn(shape, name) ? shape[name] : undefined;
      if (check === undefined) throw new Error(`unknown field "${name}" in ${at || 'the answer'}`);
      check(item, `${at}.${name}`);
    }
    for (const name of required) if (!Object.hasOwn(value, name)) throw new Error(`${at}.${name} is absent`);
  };
}

function mapOf(of: Check): Check {
  return (value, at) => {
    if (typeof value !== 'object' || value === null) throw new Error(`${at} is no object`);
    for (const [name, item] of Object.entries(value)) of(item, `${at}.${name}`);
  };
}

const anyValue: Check = (value, at) => {
  object({ stringValue: text, intValue: int64, doubleValue: double, boolValue: flag })(value, at);
  if (Object.keys(value as object).length !== 1) throw new Error(`${at} has not exactly one value: panic`);
};
const attributes = list(object({ key: text, value: anyValue }, ['key', 'value']));
const spanSetShape = object(
  {
    spans: list(
      object(
        {
          spanID: hex(/^[0-9a-f]{16}$/),
          name: text,
          startTimeUnixNano: uint64,
          durationNanos: uint64,
          attributes,
        },
        ['spanID'],
      ),
    ),
    matched: uint32,
    attributes,
  },
  ['spans'],
);
const metricsShape = object({
  inspectedTraces: uint32,
  inspectedBytes: uint64,
  totalBlocks: uint32,
  completedJobs: uint32,
  totalJobs: uint32,
  totalBlockBytes: uint64,
  inspectedSpans: uint64,
});
const searchShape = object(
  {
    traces: list(
      object(
        {
          traceID: hex(/^[1-9a-f][0-9a-f]{0,31}$/),
          rootServiceName: text,
          rootTraceName: text,
          startTimeUnixNano: uint64,
          durationMs: uint32,
          spanSet: spanSetShape,
          spanSets: list(spanSetShape),
          serviceStats: mapOf(object({ spanCount: uint32, errorCount: uint32 })),
        },
        ['traceID', 'rootServiceName', 'startTimeUnixNano'],
      ),
    ),
    metrics: metricsShape,
  },
  ['traces', 'metrics'],
);
const partial: Check = (value, at) => {
  if (value !== 'PARTIAL') throw new Error(`${at} is no status: ${JSON.stringify(value)}`);
};
const instantShape = object(
  {
    series: list(object({ labels: attributes, value: double })),
    metrics: metricsShape,
    status: partial,
    message: text,
  },
  ['metrics'],
);
const rangeShape = object(
  {
    series: list(
      object({
        labels: attributes,
        samples: list(object({ timestampMs: int64, value: double }, ['timestampMs'])),
        exemplars: list(object({ labels: attributes, value: double, timestampMs: int64 }, ['labels', 'timestampMs'])),
      }),
    ),
    metrics: metricsShape,
    status: partial,
    message: text,
  },
  ['metrics'],
);
