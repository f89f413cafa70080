import type { Field } from '@vivace/traceql';
import type { CodedColumn } from './batch.ts';
import { type BatchRows, EVENT_ROW, LINK_ROW } from './batch-rows.ts';
import { eventScopeOf } from './conjunction.ts';
import type { LiteralTest } from './literal-test.ts';
import type { Attributes, ScopeMessage } from './messages.ts';
import { TraceRows } from './trace-rows.ts';
import { NIL, PRESENT, type Value } from './value.ts';

// Hot path: what a comparison finds in a whole column, see value.ts for the flags. A value is looked at once a
// dictionary entry; rows only pick up what their code found. Benchmark: `npm run bench -- micro`.

/** Flags of each row of a batch; undefined for fields that have no column. */
export function spanFlags(source: BatchRows, field: Field, test: LiteralTest): Uint8Array | undefined {
  const { batch } = source;
  const flags = new Uint8Array(batch.rows);
  if (field.kind === 'attribute') {
    switch (field.scope) {
      case 'span':
        addSpanAttribute(source, field.name, test, flags);
        return flags;
      case 'resource':
        addByCode(batch.resource(), resourceFlags(source, field.name, test), flags);
        return flags;
      case 'instrumentation':
        addByCode(
          batch.scope(),
          scopeFlags(source, ({ attributes }) => attributes.get(field.name), test),
          flags,
        );
        return flags;
      default:
        return anyFlags(source, field.name, test, flags);
    }
  }
  switch (field.name) {
    case 'span:name':
      addColumn(batch.name(), test, flags);
      overflowTexts(source, 'name', test, flags);
      return flags;
    case 'span:statusMessage':
      flags.fill(test.ofValue({ type: 'string', value: '' }));
      setColumn(batch.statusMessage(), test, flags);
      overflowTexts(source, 'statusMessage', test, flags);
      return flags;
    case 'instrumentation:name':
      addByCode(
        batch.scope(),
        scopeFlags(source, (scope) => ({ type: 'string', value: scope.name }), test),
        flags,
      );
      return flags;
    case 'instrumentation:version':
      addByCode(
        batch.scope(),
        scopeFlags(source, (scope) => ({ type: 'string', value: scope.version }), test),
        flags,
      );
      return flags;
    case 'trace:duration':
    case 'trace:rootName':
    case 'trace:rootService':
      addByTrace(source, field, test, flags);
      return flags;
    default:
      return undefined;
  }
}

/** Flags of each event row, for a field of events or links; rows of the other kind have none that mean anything. */
export function eventFlags(source: BatchRows, field: Field, test: LiteralTest): Uint8Array {
  const { batch } = source;
  const flags = new Uint8Array(batch.eventRows);
  const scope = eventScopeOf(field) === 'link' ? 'link' : 'event';
  // What the overflow has of the one reads otherwise as the other.
  const kinds = batch.eventKind();
  const kind = scope === 'link' ? LINK_ROW : EVENT_ROW;
  if (field.kind === 'attribute') {
    for (const column of batch.eventAttributes(field.name)) addColumn(column, test, flags);
    addOverflow(source, scope, batch.eventOverflow(), field.name, test, flags, (event) => kinds[event] === kind);
    return flags;
  }
  const spans = batch.eventSpan();
  for (let event = 0; event < flags.length; event++) {
    if (kinds[event] !== kind) continue;
    flags[event] = test.ofValue(source.eventValue(event, spans[event] as number, field));
  }
  return flags;
}

/** The first scope that has the key decides. */
function anyFlags(source: BatchRows, key: string, test: LiteralTest, flags: Uint8Array): Uint8Array {
  const { batch } = source;
  addSpanAttribute(source, key, test, flags);
  fillGaps(flags, batch.resource(), resourceFlags(source, key, test));
  if (batch.eventRows > 0) {
    const spans = batch.eventSpan();
    const kinds = batch.eventKind();
    for (const scope of ['event', 'link'] as const) {
      const found = eventFlags(source, { kind: 'attribute', scope, name: key, text: key, from: 0, to: 0 }, test);
      if (found.every((one) => one === 0)) continue;
      const more = new Uint8Array(flags.length);
      addByEvent(more, flags, found, spans, kinds, scope === 'link');
      addAll(flags, more);
    }
  }
  const scopes = scopeFlags(source, ({ attributes }) => attributes.get(key), test);
  if (scopes.some((found) => found !== 0)) fillGaps(flags, batch.scope(), scopes);
  return flags;
}

/** Adds the flags of events, or of links, to those of their spans that have none in `known`. */
function addByEvent(
  flags: Uint8Array,
  known: Uint8Array,
  found: Uint8Array,
  spans: Int32Array,
  kinds: Uint8Array,
  ofLinks: boolean,
): void {
  for (let event = 0; event < found.length; event++) {
    if ((kinds[event] === LINK_ROW) !== ofLinks) continue;
    const row = spans[event] as number;
    if (known[row] === 0) flags[row] = (flags[row] as number) | (found[event] as number);
  }
}

function addAll(flags: Uint8Array, more: Uint8Array): void {
  for (let row = 0; row < flags.length; row++) flags[row] = (flags[row] as number) | (more[row] as number);
}

function fillGaps(flags: Uint8Array, codes: Int32Array, found: Uint8Array): void {
  if (found.every((one) => one === 0)) return;
  for (let row = 0; row < flags.length; row++) {
    if (flags[row] === 0) flags[row] = found[codes[row] as number] as number;
  }
}

function addSpanAttribute(source: BatchRows, key: string, test: LiteralTest, flags: Uint8Array): void {
  for (const column of source.batch.attributes(key)) addColumn(column, test, flags);
  addOverflow(source, 'span', source.batch.overflow(), key, test, flags);
}

/** Values of one row add up. */
function addColumn(column: CodedColumn, test: LiteralTest, flags: Uint8Array): void {
  if (column.count === 0) return;
  addCodes(column, test.ofEntries(column), flags);
}

function addCodes({ rows, codes, count }: CodedColumn, found: Uint8Array, flags: Uint8Array): void {
  if (rows === undefined) {
    const all = Math.min(count, flags.length);
    for (let row = 0; row < all; row++) {
      const code = codes[row] as number;
      if (code >= 0) flags[row] = (flags[row] as number) | (found[code] as number);
    }
    return;
  }
  for (let i = 0; i < count; i++) {
    const row = rows[i] as number;
    flags[row] = (flags[row] as number) | (found[codes[i] as number] as number);
  }
}

/** Values take the place of what the rows have. */
function setColumn(column: CodedColumn, test: LiteralTest, flags: Uint8Array): void {
  const found = test.ofEntries(column);
  eachCode(column, (row, code) => {
    flags[row] = found[code] as number;
  });
}

function eachCode({ rows, codes, count }: CodedColumn, use: (row: number, code: number) => void): void {
  for (let i = 0; i < count; i++) {
    const code = codes[i] as number;
    if (code >= 0) use(rows === undefined ? i : (rows[i] as number), code);
  }
}

function addOverflow(
  source: BatchRows,
  kind: 'span' | 'event' | 'link',
  column: CodedColumn,
  key: string,
  test: LiteralTest,
  flags: Uint8Array,
  isOfKind: (row: number) => boolean = () => true,
): void {
  if (column.count === 0) return;
  const found = new Map<number, number>();
  eachCode(column, (row, code) => {
    if (!isOfKind(row)) return;
    let more = found.get(code);
    if (more === undefined) {
      const values = source.fragment(kind, column, code).attributes.get(key) ?? [];
      more = values.reduce((sum, value) => sum | test.ofValue(value), values.length > 0 ? PRESENT : 0);
      found.set(code, more);
    }
    flags[row] = (flags[row] as number) | more;
  });
}

/** Names and messages that are not UTF-8 lie in the overflow. */
function overflowTexts(
  source: BatchRows,
  member: 'name' | 'statusMessage',
  test: LiteralTest,
  flags: Uint8Array,
): void {
  const column = source.batch.overflow();
  eachCode(column, (row, code) => {
    const value = source.fragment('span', column, code)[member];
    if (value !== undefined) flags[row] = test.ofValue({ type: 'string', value });
  });
}

function addByCode(codes: Int32Array, found: Uint8Array, flags: Uint8Array): void {
  for (let row = 0; row < flags.length; row++) flags[row] = found[codes[row] as number] as number;
}

/** Flags of each resource of a batch. */
export function resourceFlags(source: BatchRows, key: string, test: LiteralTest): Uint8Array {
  return Uint8Array.from(source.batch.resources(), (_, code) => flagsIn(source.resource(code), key, test));
}

function flagsIn(attributes: Attributes, key: string, test: LiteralTest): number {
  return test.ofValue(attributes.get(key) ?? NIL);
}

function scopeFlags(
  source: BatchRows,
  valueOf: (scope: ScopeMessage) => Value | undefined,
  test: LiteralTest,
): Uint8Array {
  return Uint8Array.from(source.batch.scopes(), (_, code) => test.ofValue(valueOf(source.scope(code)) ?? NIL));
}

function addByTrace(source: BatchRows, field: Field, test: LiteralTest, flags: Uint8Array): void {
  eachTrace(source, (trace) => {
    const found = test.ofValue(trace.value(0, field));
    for (const row of trace.rows) flags[row] = found;
  });
}

/** Calls back for each trace of a batch that has all of its spans there. */
function eachTrace(source: BatchRows, use: (trace: TraceRows, number: number) => void): void {
  const { batch } = source;
  for (let trace = 0; trace < batch.traceCount; trace++) {
    const rows = traceRowsOf(source, trace);
    if (rows.count > 0) use(rows, trace);
  }
}

/** A trace of a batch as rows. */
export function traceRowsOf(source: BatchRows, trace: number): TraceRows {
  const { batch } = source;
  const first = batch.traceFirst();
  const order = batch.order();
  const from = first[trace] as number;
  const to = first[trace + 1] as number;
  const rows = order === undefined ? new Int32Array(to - from) : order.slice(from, to);
  if (order === undefined) for (let i = 0; i < rows.length; i++) rows[i] = from + i;
  return new TraceRows(() => batch.traceIds().slice(16 * trace, 16 * trace + 16), source, rows);
}
