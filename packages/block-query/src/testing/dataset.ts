import { hexToBytes } from '@vivace/kernel';
import { encodeTraces, type PlainTraces } from '@vivace/otlp/testing';

/**
 * Traces written by hand, one span a line:
 *
 *     trace t1
 *       root service="shop" name="GET /" at=0s for=100ms kind=server
 *         child span.i=7 span.list=[1, "a"] event(name="retry" at=5ms x=1) link(to=t1/root why="because")
 *       late request=2
 *
 * A line below a span and further in is a child of it; `parent=LABEL`, `parent=none` or `parent=HEX` say otherwise.
 * A trace's id is `id=HEX` or its number in the file; that of a span is `id=HEX` or its number. Labels are names
 * too unless `name` says otherwise. Times count from BASE; children start with their parent and last 10ms unless they
 * say otherwise. A resource is written out by every span that gives any part of it, others have their parent's.
 * `resend=LABEL` makes a span one that was sent before: same id, start, kind, place. `request=N` is 1 unless given.
 */
export interface Dataset {
  /** Encoded requests, in the order in which they arrive. */
  requests: Uint8Array[];
  /** Trace id in hex → label. */
  traceLabels: Map<string, string>;
  /** Trace id, span id and start → label. */
  spanLabels: Map<string, string>;
}

/** The time from which datasets and cases count: 2025-01-01T00:00:00Z. */
export const BASE_UNIX_NANO = 1_735_689_600_000_000_000n;

export function spanLabelKey(traceId: string, spanId: string, startUnixNano: bigint): string {
  return `${traceId} ${spanId} ${startUnixNano}`;
}

type PlainAttribute = { key: string; value: PlainValue };
type PlainValue = Record<string, unknown>;

interface Line {
  indent: number;
  label: string;
  fields: [string, Token][];
}

type Token =
  | { kind: 'value'; value: PlainValue }
  | { kind: 'word'; text: string }
  | { kind: 'group'; fields: [string, Token][] };

interface SpanDraft {
  trace: string;
  label: string;
  id: string;
  parentId: string;
  name: string;
  at: bigint;
  duration: bigint;
  kind: number;
  request: number;
  resource: PlainAttribute[];
  plain: Record<string, unknown>;
  scope: Record<string, unknown>;
}

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const STATUSES = ['unset', 'ok', 'error'];

/** Reads a dataset; throws a TypeError that quotes what it cannot read. */
export function readDataset(text: string): Dataset {
  const traceIds = new Map<string, string>();
  const spans: SpanDraft[] = [];
  let trace = '';
  let above: { indent: number; span: SpanDraft }[] = [];
  const waiting: (() => void)[] = [];
  for (const source of text.split('\n')) {
    if (source.trim() === '' || source.trim().startsWith('#')) continue;
    const line = readLine(source);
    if (line.indent === 0) {
      trace = line.label;
      traceIds.set(trace, (wordOf(line.fields, 'id') ?? (traceIds.size + 1).toString(16)).padStart(32, '0'));
      above = [];
      continue;
    }
    above = above.filter(({ indent }) => indent < line.indent);
    const span = draftSpan(line, trace, spans, above.at(-1)?.span);
    above.push({ indent: line.indent, span });
    spans.push(span);
    waiting.push(() => resolve(span, line, spans, traceIds));
  }
  for (const finish of waiting) finish();
  return encode(spans, traceIds);
}

function draftSpan(
  { label, fields }: Line,
  trace: string,
  spans: readonly SpanDraft[],
  above: SpanDraft | undefined,
): SpanDraft {
  const first = spans.find((span) => span.trace === trace && span.label === wordOf(fields, 'resend'));
  const time = (name: string) => durationOf(wordOf(fields, name));
  const kind = wordOf(fields, 'kind');
  const span: SpanDraft = {
    trace,
    label,
    id: wordOf(fields, 'id')?.padStart(16, '0') ?? first?.id ?? (spans.length + 1).toString(16).padStart(16, '0'),
    parentId: first?.parentId ?? above?.id ?? '',
    name: textOf(fields, 'name') ?? first?.name ?? label,
    at: time('at') ?? first?.at ?? above?.at ?? 0n,
    duration: time('for') ?? first?.duration ?? 10_000_000n,
    kind: kind === undefined ? (first?.kind ?? 0) : indexIn(KINDS, kind),
    request: Number(wordOf(fields, 'request') ?? 1),
    resource: attributesOf(fields, 'resource.'),
    plain: {},
    scope: {
      name: textOf(fields, 'scope.name') ?? '',
      version: textOf(fields, 'scope.version') ?? '',
      attributes: attributesOf(fields, 'instrumentation.'),
    },
  };
  const service = textOf(fields, 'service');
  if (service !== undefined) span.resource.unshift({ key: 'service.name', value: { stringValue: service } });
  if (span.resource.length === 0) span.resource = first?.resource ?? above?.resource ?? [];
  return span;
}

/** What may refer to spans further down. */
function resolve(
  span: SpanDraft,
  { fields }: Line,
  spans: readonly SpanDraft[],
  traceIds: ReadonlyMap<string, string>,
): void {
  const parent = wordOf(fields, 'parent');
  if (parent === 'none') span.parentId = '';
  else if (parent !== undefined) {
    const named = spans.find((one) => one.trace === span.trace && one.label === parent);
    span.parentId = named?.id ?? parent.padStart(16, '0');
  }
  const start = BASE_UNIX_NANO + span.at;
  span.plain = {
    traceId: hexToBytes(traceIds.get(span.trace) as string),
    spanId: hexToBytes(span.id),
    parentSpanId: hexToBytes(span.parentId),
    name: span.name,
    kind: span.kind,
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + span.duration),
    attributes: attributesOf(fields, 'span.'),
    status: { code: indexIn(STATUSES, wordOf(fields, 'status') ?? 'unset'), message: textOf(fields, 'message') ?? '' },
    events: groupsOf(fields, 'event').map((event) => ({
      name: textOf(event, 'name') ?? '',
      timeUnixNano: String(start + (durationOf(wordOf(event, 'at')) ?? 0n)),
      attributes: attributesOf(event, '', ['name', 'at']),
    })),
    links: groupsOf(fields, 'link').map((link) => {
      const [traceLabel = '', spanLabel = ''] = (wordOf(link, 'to') ?? '').split('/');
      const target = spans.find((one) => one.trace === traceLabel && one.label === spanLabel);
      return {
        traceId: hexToBytes(traceIds.get(traceLabel) ?? traceLabel.padStart(32, '0')),
        spanId: hexToBytes(target?.id ?? spanLabel.padStart(16, '0')),
        attributes: attributesOf(link, '', ['to']),
      };
    }),
  };
}

function encode(spans: readonly SpanDraft[], traceIds: ReadonlyMap<string, string>): Dataset {
  const requests = new Map<number, PlainTraces[]>();
  const spanLabels = new Map<string, string>();
  for (const span of spans) {
    const resourceSpans = {
      resource: { attributes: span.resource },
      scopeSpans: [{ scope: span.scope, spans: [span.plain] }],
    };
    requests.set(span.request, [...(requests.get(span.request) ?? []), resourceSpans]);
    const key = spanLabelKey(traceIds.get(span.trace) as string, span.id, BASE_UNIX_NANO + span.at);
    if (!spanLabels.has(key)) spanLabels.set(key, span.label);
  }
  return {
    requests: [...requests].sort(([a], [b]) => a - b).map(([, resourceSpans]) => encodeTraces({ resourceSpans })),
    traceLabels: new Map([...traceIds].map(([label, id]) => [id, label])),
    spanLabels,
  };
}

function indexIn(names: readonly string[], name: string): number {
  const index = names.indexOf(name);
  return index < 0 ? Number(name) : index;
}

function wordOf(fields: Line['fields'], name: string): string | undefined {
  const token = fields.find(([key]) => key === name)?.[1];
  if (token === undefined) return undefined;
  if (token.kind === 'word') return token.text;
  if (token.kind === 'value' && typeof token.value.intValue === 'string') return token.value.intValue;
  throw new TypeError(`${name} is not a word`);
}

function textOf(fields: Line['fields'], name: string): string | undefined {
  const token = fields.find(([key]) => key === name)?.[1];
  if (token === undefined) return undefined;
  if (token.kind === 'value' && typeof token.value.stringValue === 'string') return token.value.stringValue;
  throw new TypeError(`${name} is not a string`);
}

function groupsOf(fields: Line['fields'], name: string): Line['fields'][] {
  return fields.flatMap(([key, token]) => (key === name && token.kind === 'group' ? [token.fields] : []));
}

function attributesOf(fields: Line['fields'], prefix: string, besides: readonly string[] = []): PlainAttribute[] {
  return fields.flatMap(([key, token]) => {
    if (!key.startsWith(prefix) || besides.includes(key)) return [];
    if (token.kind !== 'value') throw new TypeError(`${key} has no value that can be read`);
    return [{ key: key.slice(prefix.length), value: token.value }];
  });
}

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** A whole number of one unit: `-5ms`. */
export function durationOf(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  const match = /^(-?\d+)(ns|us|ms|s|m|h)?$/.exec(text);
  if (match === null) throw new TypeError(`not a time: ${text}`);
  return BigInt(match[1] as string) * (UNITS[match[2] ?? 'ns'] as bigint);
}

function readLine(source: string): Line {
  const reader = new Reader(source);
  const indent = source.length - source.trimStart().length;
  reader.at = indent;
  let label = reader.word();
  if (indent === 0) {
    if (label !== 'trace') throw new TypeError(`expected a trace: ${source}`);
    reader.blanks();
    label = reader.word();
  }
  return { indent, label, fields: reader.fields('') };
}

/** Reads `key=value` and `key(…)`. */
class Reader {
  at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  blanks(): void {
    while (this.#text[this.at] === ' ') this.at++;
  }

  word(): string {
    const match = this.#match(/[^\s=()[\]{},"]+/y);
    if (match === undefined) this.#fail('a word');
    return match;
  }

  fields(close: string): Line['fields'] {
    const fields: Line['fields'] = [];
    for (;;) {
      this.blanks();
      if (close === '' ? this.at >= this.#text.length : this.#take(close)) return fields;
      const key = this.#text[this.at] === '"' ? this.#string() : this.word();
      if (this.#take('(')) fields.push([key, { kind: 'group', fields: this.fields(')') }]);
      else if (this.#take('=')) fields.push([key, this.#token()]);
      else this.#fail('= or (');
    }
  }

  #token(): Token {
    const next = this.#text[this.at] as string;
    if ('"[{'.includes(next)) return { kind: 'value', value: this.#value() };
    const text = this.word();
    const value = scalarOf(text);
    return value === undefined ? { kind: 'word', text } : { kind: 'value', value };
  }

  #value(): PlainValue {
    this.blanks();
    const next = this.#text[this.at];
    if (next === '"') return { stringValue: this.#string() };
    if (this.#take('[')) {
      const values: PlainValue[] = [];
      for (;;) {
        this.blanks();
        if (this.#take(']')) return { arrayValue: { values } };
        values.push(this.#value());
        this.blanks();
        this.#take(',');
      }
    }
    if (this.#take('{')) {
      const values = this.fields('}').map(([key, token]) => ({
        key,
        value: token.kind === 'value' ? token.value : {},
      }));
      return { kvlistValue: { values } };
    }
    const text = this.word();
    return scalarOf(text) ?? this.#fail('a value');
  }

  #string(): string {
    const match = this.#match(/"(?:[^"\\]|\\.)*"/y);
    if (match === undefined) this.#fail('a string');
    return JSON.parse(match) as string;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.#text)?.[0];
    if (match !== undefined) this.at += match.length;
    return match;
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  #fail(expected: string): never {
    throw new TypeError(`expected ${expected} at ${this.at}: ${this.#text}`);
  }
}

/** Integers without a point, floats with one or an exponent, `bytes:00ff`, `empty`. */
function scalarOf(text: string): PlainValue | undefined {
  if (text === 'true' || text === 'false') return { boolValue: text === 'true' };
  if (/^-?\d+$/.test(text)) return { intValue: text };
  if (/^(NaN|-?Infinity|-?\d+(\.\d+)?(e-?\d+)?)$/.test(text)) return { doubleValue: Number(text) };
  if (text.startsWith('bytes:')) return { bytesValue: hexToBytes(text.slice(6)) };
  return text === 'empty' ? {} : undefined;
}
