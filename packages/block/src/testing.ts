import type {
  AttributeColumn,
  AttributeType,
  ColumnSetView,
  DictionaryView,
  EventTableView,
  SparseColumn,
} from '@vivace/columns';
import { concatBytes, hexToBytes, utf8Encode } from '@vivace/kernel';
import { ByteWriter } from './byte-writer.ts';
import type { EncodedBlock } from './encode-block.ts';
import { FieldWalker } from './fields.ts';
import { writeKeyValue } from './key-value.ts';
import { layoutObjects } from './layout-objects.ts';
import type { BlockPlace, ReadRange } from './open-block.ts';
import type { RawValue, TestAttribute, TestEvent, TestSpan } from './testing/test-span.ts';

export { groupChunks } from './block-index.ts';
export { arbitrarySpan } from './testing/arbitrary-span.ts';
export type { RawValue, TestAttribute, TestEvent, TestSpan } from './testing/test-span.ts';

/** Collects spans one by one into a column set; slow and simple, for tests and benchmarks. */
export interface SetBuilder {
  add(span: TestSpan): void;
  finish(): ColumnSetView;
}

/** A column set of a few spans. */
export function buildSet(spans: readonly TestSpan[]): ColumnSetView {
  const builder = createSetBuilder();
  for (const span of spans) builder.add(span);
  return builder.finish();
}

export function createSetBuilder(): SetBuilder {
  const traces = createDictionary();
  const names = createDictionary();
  const resources = createDictionary();
  const scopes = createDictionary();
  const statusMessage = createSparse();
  const traceState = createSparse();
  const overflow = createSparse();
  const attributes = createAttributes();
  const trace: number[] = [];
  const ids: number[] = [];
  const parents: number[] = [];
  const start: number[] = [];
  const end: number[] = [];
  const name: number[] = [];
  const kind: number[] = [];
  const status: number[] = [];
  const flags: number[] = [];
  const resource: number[] = [];
  const scope: number[] = [];
  const dead: number[] = [];
  const events = createEvents();
  return {
    add(span) {
      const row = trace.length;
      trace.push(traces.code(hexToBytes(span.traceId)));
      pushWords(ids, span.spanId);
      pushWords(parents, span.parentId ?? '0000000000000000');
      pushTime(start, span.start);
      pushTime(end, span.end);
      name.push(names.code(utf8Encode(span.name ?? 'op')));
      kind.push(span.kind ?? 1);
      status.push(span.status ?? 0);
      flags.push(span.flags ?? 0);
      resource.push(resources.code(span.resource ?? new Uint8Array(0)));
      scope.push(scopes.code(span.scope ?? new Uint8Array(0)));
      dead.push(span.dead ? 1 : 0);
      if (span.statusMessage) statusMessage.add(row, utf8Encode(span.statusMessage));
      if (span.traceState) traceState.add(row, utf8Encode(span.traceState));
      if (span.overflow) overflow.add(row, span.overflow);
      for (const [key, value] of span.attributes ?? []) attributes.add(row, key, value);
      for (const event of span.events ?? []) events.add(row, event);
    },
    finish() {
      const traceDictionary = traces.view();
      return {
        spanCount: trace.length,
        traceCount: traceDictionary.count,
        traceIds: traceDictionary.bytes,
        trace: Int32Array.from(trace),
        spanId: Int32Array.from(ids),
        parentId: Int32Array.from(parents),
        start: Uint32Array.from(start),
        end: Uint32Array.from(end),
        name: Int32Array.from(name),
        kind: Uint8Array.from(kind),
        status: Uint8Array.from(status),
        flags: Uint32Array.from(flags),
        resource: Int32Array.from(resource),
        scope: Int32Array.from(scope),
        dead: Uint8Array.from(dead),
        names: names.view(),
        resources: resources.view(),
        scopes: scopes.view(),
        statusMessage: statusMessage.view(),
        traceState: traceState.view(),
        attributes: attributes.view(),
        overflow: overflow.view(),
        events: events.view(),
      };
    },
  };
}

/** Live rows in block order: trace id, start, span id, kind. */
export function blockOrder(set: ColumnSetView): Int32Array {
  const ids = new Uint8Array(set.spanId.buffer, set.spanId.byteOffset, set.spanCount * 8);
  const rows: number[] = [];
  for (let row = 0; row < set.spanCount; row++) if (set.dead[row] === 0) rows.push(row);
  const at = (array: ArrayLike<number>, i: number): number => array[i] as number;
  const bytes = (array: Uint8Array, a: number, b: number, length: number): number => {
    for (let i = 0; i < length; i++) {
      const d = at(array, a + i) - at(array, b + i);
      if (d !== 0) return d;
    }
    return 0;
  };
  rows.sort(
    (a, b) =>
      bytes(set.traceIds, at(set.trace, a) * 16, at(set.trace, b) * 16, 16) ||
      at(set.start, 2 * a + 1) - at(set.start, 2 * b + 1) ||
      at(set.start, 2 * a) - at(set.start, 2 * b) ||
      bytes(ids, a * 8, b * 8, 8) ||
      at(set.kind, a) - at(set.kind, b),
  );
  return Int32Array.from(rows);
}

interface Dictionary {
  code(bytes: Uint8Array): number;
  view(): DictionaryView;
}

function createDictionary(): Dictionary {
  const codes = new Map<string, number>();
  let bytes = new Uint8Array(256);
  const offsets = [0];
  return {
    code(value) {
      const text = Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1');
      const known = codes.get(text);
      if (known !== undefined) return known;
      const from = offsets.at(-1) as number;
      if (from + value.length > bytes.length) {
        const larger = new Uint8Array(Math.max(bytes.length * 2, from + value.length));
        larger.set(bytes);
        bytes = larger;
      }
      bytes.set(value, from);
      offsets.push(from + value.length);
      codes.set(text, codes.size);
      return codes.size - 1;
    },
    view: () => ({ count: codes.size, bytes, offsets: Uint32Array.from(offsets) }),
  };
}

function createSparse() {
  const rows: number[] = [];
  const codes: number[] = [];
  const dictionary = createDictionary();
  return {
    add(row: number, value: Uint8Array): void {
      rows.push(row);
      codes.push(dictionary.code(value));
    },
    view: (): SparseColumn => ({
      count: rows.length,
      rows: Int32Array.from(rows),
      codes: Int32Array.from(codes),
      dictionary: dictionary.view(),
    }),
  };
}

function createAttributes() {
  const columns = new Map<string, { key: string; type: AttributeType; column: ReturnType<typeof createSparse> }>();
  return {
    add(row: number, key: string, value: TestAttribute[1]): void {
      const { type, bytes } = rawValue(value);
      const id = `${type}:${key}`;
      let entry = columns.get(id);
      if (!entry) {
        entry = { key, type, column: createSparse() };
        columns.set(id, entry);
      }
      entry.column.add(row, bytes);
    },
    view: (): AttributeColumn[] =>
      [...columns.values()].map(({ key, type, column }) => ({ key, type, ...column.view() })),
  };
}

/** The dictionary entry of a value. */
export function rawValue(value: TestAttribute[1]): RawValue {
  if (typeof value === 'string') return { type: 'string', bytes: utf8Encode(value) };
  if (typeof value === 'boolean') return { type: 'bool', bytes: Uint8Array.of(value ? 1 : 0) };
  if (typeof value === 'object') return value;
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  if (typeof value === 'bigint') view.setBigInt64(0, value, true);
  else view.setFloat64(0, value, true);
  return { type: typeof value === 'bigint' ? 'int' : 'double', bytes };
}

function createEvents() {
  const spans: number[] = [];
  const kinds: number[] = [];
  const time: number[] = [];
  const name: number[] = [];
  const names = createDictionary();
  const linkRows: number[] = [];
  const linkIds: number[] = [];
  const traceState = createSparse();
  const attributes = createAttributes();
  const overflow = createSparse();
  return {
    add(span: number, event: TestEvent): void {
      const row = spans.length;
      spans.push(span);
      kinds.push(event.link === undefined ? 0 : 1);
      pushTime(time, event.time ?? 0n);
      if (event.link === undefined) name.push(names.code(utf8Encode(event.name ?? '')));
      else {
        name.push(-1);
        if (event.link !== '') {
          linkRows.push(row);
          linkIds.push(...hexToBytes(event.link));
        }
      }
      if (event.traceState) traceState.add(row, utf8Encode(event.traceState));
      if (event.overflow) overflow.add(row, event.overflow);
      for (const [key, value] of event.attributes ?? []) attributes.add(row, key, value);
    },
    view: (): EventTableView => ({
      count: spans.length,
      span: Int32Array.from(spans),
      kind: Uint8Array.from(kinds),
      time: Uint32Array.from(time),
      name: Int32Array.from(name),
      names: names.view(),
      linkCount: linkRows.length,
      linkRows: Int32Array.from(linkRows),
      linkIds: Uint8Array.from(linkIds),
      traceState: traceState.view(),
      attributes: attributes.view(),
      overflow: overflow.view(),
    }),
  };
}

function pushTime(into: number[], time: bigint): void {
  const bits = BigInt.asUintN(64, time);
  into.push(Number(bits & 0xffffffffn), Number(bits >> 32n));
}

/** 8 id bytes reinterpreted as two 32-bit elements of the platform's byte order. */
function pushWords(into: number[], hex: string): void {
  const words = new Int32Array(hexToBytes(hex).buffer);
  into.push(words[0] as number, words[1] as number);
}

/** A span as plain data, the same for column sets that mean the same. */
export interface PlainSpan {
  traceId: string;
  spanId: string;
  parentId: string;
  start: bigint;
  end: bigint;
  name: string;
  kind: number;
  status: number;
  flags: number;
  resource: string;
  scope: string;
  statusMessage: string;
  traceState: string;
  /** Wire form of every attribute in hex, sorted, wherever it is kept. */
  attributes: string[];
  /** What else the overflow fragment holds, field by field in hex. */
  rest: string[];
  events: PlainEvent[];
}

export interface PlainEvent {
  kind: number;
  time: bigint;
  name: string;
  link: string;
  traceState: string;
  attributes: string[];
  rest: string[];
}

/** The spans of some rows of a column set, with their events in order. */
export function plainSpans(set: ColumnSetView, rows: Iterable<number>): PlainSpan[] {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const ids = (array: Int32Array, row: number): string => hex(new Uint8Array(array.slice(2 * row, 2 * row + 2).buffer));
  const time = (array: Uint32Array, row: number): bigint =>
    (BigInt(array[2 * row + 1] as number) << 32n) | BigInt(array[2 * row] as number);
  const entry = ({ bytes, offsets }: DictionaryView, code: number): Uint8Array =>
    bytes.slice(offsets[code], offsets[code + 1]);
  const text = (dictionary: DictionaryView, code: number | undefined): string =>
    code === undefined || code < 0 ? '' : Buffer.from(entry(dictionary, code)).toString();
  const byRow = (column: SparseColumn): Map<number, number> => {
    const map = new Map<number, number>();
    for (let i = 0; i < column.count; i++) map.set(column.rows[i] as number, column.codes[i] as number);
    return map;
  };
  const owned = (columns: AttributeColumn[], overflow: SparseColumn, tagOf: (row: number) => number) => {
    const maps = columns.map((column) => ({ column, map: byRow(column) }));
    const fragments = byRow(overflow);
    return (row: number): { attributes: string[]; rest: string[] } => {
      const attributes: string[] = [];
      const rest: string[] = [];
      for (const { column, map } of maps) {
        const code = map.get(row);
        if (code === undefined) continue;
        const out = new ByteWriter(64);
        const value = entry(column.dictionary, code);
        writeKeyValue(out, tagOf(row), utf8Encode(column.key), column.type, value, 0, value.length);
        attributes.push(hex(out.view()));
      }
      const fragment = fragments.get(row);
      if (fragment !== undefined) {
        const walker = new FieldWalker(entry(overflow.dictionary, fragment));
        while (walker.next()) {
          const isAttribute = walker.wire === 2 && ((walker.field << 3) | 2) === tagOf(row);
          (isAttribute ? attributes : rest).push(hex(walker.bytes.slice(walker.start, walker.to)));
        }
      }
      return { attributes: attributes.sort(), rest };
    };
  };
  const { events } = set;
  const eventOwned = owned(events.attributes, events.overflow, (row) => (events.kind[row] === 1 ? 0x22 : 0x1a));
  const eventTraceState = byRow(events.traceState);
  const links = new Map<number, string>();
  for (let i = 0; i < events.linkCount; i++) {
    links.set(events.linkRows[i] as number, hex(events.linkIds.slice(24 * i, 24 * i + 24)));
  }
  const eventsOf = new Map<number, PlainEvent[]>();
  for (let row = 0; row < events.count; row++) {
    const list = eventsOf.get(events.span[row] as number) ?? [];
    eventsOf.set(events.span[row] as number, list);
    list.push({
      kind: events.kind[row] as number,
      time: time(events.time, row),
      name: text(events.names, events.name[row]),
      link: links.get(row) ?? '',
      traceState: text(events.traceState.dictionary, eventTraceState.get(row)),
      ...eventOwned(row),
    });
  }
  const spanOwned = owned(set.attributes, set.overflow, () => 0x4a);
  const statusMessage = byRow(set.statusMessage);
  const traceState = byRow(set.traceState);
  return Array.from(rows, (row) => ({
    traceId: hex(set.traceIds.slice(16 * (set.trace[row] as number), 16 * (set.trace[row] as number) + 16)),
    spanId: ids(set.spanId, row),
    parentId: ids(set.parentId, row),
    start: time(set.start, row),
    end: time(set.end, row),
    name: text(set.names, set.name[row]),
    kind: set.kind[row] as number,
    status: set.status[row] as number,
    flags: set.flags[row] as number,
    resource: hex(entry(set.resources, set.resource[row] as number)),
    scope: hex(entry(set.scopes, set.scope[row] as number)),
    statusMessage: text(set.statusMessage.dictionary, statusMessage.get(row)),
    traceState: text(set.traceState.dictionary, traceState.get(row)),
    ...spanOwned(row),
    events: eventsOf.get(row) ?? [],
  }));
}

/** Rows of a decoded column set in order. */
export function allRows({ spanCount }: ColumnSetView): number[] {
  return Array.from({ length: spanCount }, (_, row) => row);
}

/** The objects of an encoded block in memory, and how they were read. */
export interface StoredBlock {
  place: BlockPlace;
  objects: Map<string, Uint8Array>;
  reads: { object: string; offset: number; length: number }[];
  readRange: ReadRange;
}

export function storeBlock(block: EncodedBlock, singleObjectMaxBytes?: number): StoredBlock {
  const layout = layoutObjects(block, singleObjectMaxBytes);
  const objects = new Map(layout.objects.map(({ name, parts }) => [name, concatBytes(parts)]));
  const reads: StoredBlock['reads'] = [];
  return {
    place: { id: 'block-1', sections: layout.sections },
    objects,
    reads,
    async readRange(object, offset, length) {
      reads.push({ object, offset, length });
      return (objects.get(object) as Uint8Array).slice(offset, offset + length);
    },
  };
}
