import { bytesToHex } from '@vivace/kernel';
import type { Field, IntrinsicField } from '@vivace/traceql';
import type { Batch, CodedColumn } from './batch.ts';
import { eventScopeOf } from './conjunction.ts';
import { entryValue } from './literal-test.ts';
import {
  type Attributes,
  type FragmentKind,
  type FragmentMessage,
  gather,
  readFragment,
  readResource,
  readScope,
  type ScopeMessage,
} from './messages.ts';
import { readFrom } from './source-failure.ts';
import { kindValue, NIL, statusValue, type Value } from './value.ts';

/** `eventKind` of rows of the event table. */
export const EVENT_ROW = 0;
export const LINK_ROW = 1;

/** What was read of the resources and scopes of a block stays as long as they do. */
const resourcesRead = new WeakMap<readonly Uint8Array[], (Attributes | undefined)[]>();
const scopesRead = new WeakMap<readonly Uint8Array[], (ScopeMessage | undefined)[]>();

function listOf<Key extends object, Item>(lists: WeakMap<Key, Item[]>, key: Key): Item[] {
  let list = lists.get(key);
  if (list === undefined) lists.set(key, (list = []));
  return list;
}

/** Values of single spans of a batch. For whole columns see span-scan.ts. */
export class BatchRows {
  readonly batch: Batch;
  readonly #fragments = new Map<CodedColumn, Map<number, FragmentMessage>>();
  #traceOfRow: Int32Array | undefined;
  // Asked for once a span: looking a column up costs more than reading it.
  #start: Uint32Array | undefined;
  #end: Uint32Array | undefined;
  #duration: Uint32Array | undefined;
  #spanIds: Uint8Array | undefined;
  #parentIds: Uint8Array | undefined;
  #status: Uint8Array | undefined;
  #resource: Int32Array | undefined;
  /** By the code of a resource. */
  readonly #services: string[] = [];
  readonly #attributes = new Map<string, CodedColumn[]>();
  #firstEvents: Int32Array | undefined;

  constructor(batch: Batch) {
    this.batch = batch;
  }

  /** Row → trace; -1 for dead rows. */
  traceOfRow(): Int32Array {
    if (this.#traceOfRow !== undefined) return this.#traceOfRow;
    const { batch } = this;
    const traces = new Int32Array(batch.rows).fill(-1);
    const first = batch.traceFirst();
    const order = batch.order();
    for (let trace = 0; trace < batch.traceCount; trace++) {
      const from = first[trace] as number;
      const to = first[trace + 1] as number;
      if (order === undefined) traces.fill(trace, from, to);
      else for (let at = from; at < to; at++) traces[order[at] as number] = trace;
    }
    this.#traceOfRow = traces;
    return traces;
  }

  resource(code: number): Attributes {
    const messages = this.batch.resources();
    const read = listOf(resourcesRead, messages);
    return (read[code] ??= this.#read(() => readResource(messages[code] as Uint8Array)));
  }

  scope(code: number): ScopeMessage {
    const messages = this.batch.scopes();
    const read = listOf(scopesRead, messages);
    return (read[code] ??= this.#read(() => readScope(messages[code] as Uint8Array)));
  }

  /** Resource attribute `service.name` where it is a string, else "". */
  service(row: number): string {
    this.#resource ??= this.batch.resource();
    const code = this.#resource[row] as number;
    return (this.#services[code] ??= this.#serviceOf(code));
  }

  #serviceOf(code: number): string {
    const value = this.resource(code).get('service.name');
    return value?.type === 'string' ? value.value : '';
  }

  /** As OTLP numbers it. */
  statusOf(row: number): number {
    this.#status ??= this.batch.status();
    return this.#status[row] as number;
  }

  /** Eight bytes a row. */
  parentIds(): Uint8Array {
    return (this.#parentIds ??= this.batch.parentIds());
  }

  /** Eight bytes a row. */
  spanIds(): Uint8Array {
    return (this.#spanIds ??= this.batch.spanIds());
  }

  startOf(row: number): bigint {
    this.#start ??= this.batch.start();
    return time(this.#start, row);
  }

  endOf(row: number): bigint {
    return time(this.ends(), row);
  }

  /** Two halves a row, the low one first. */
  ends(): Uint32Array {
    return (this.#end ??= this.batch.end());
  }

  durationOf(row: number): bigint {
    this.#duration ??= this.batch.duration();
    return time(this.#duration, row);
  }

  spanIdOf(row: number): Uint8Array {
    return this.spanIds().slice(8 * row, 8 * row + 8);
  }

  nameOf(row: number): string {
    const value = this.#fragmentOf('span', this.batch.overflow(), row)?.name;
    if (value !== undefined) return value;
    const column = this.batch.name();
    const code = codeAt(column, row);
    const name = code < 0 ? NIL : entryValue('string', column.dictionary, code);
    return name.type === 'string' ? name.value : '';
  }

  /** Of fields that are the span's own. Those of events are of all its events; for those of traces see trace-rows.ts. */
  valueOf(row: number, field: Field): Value {
    if (eventScopeOf(field) !== undefined) {
      return gather(
        this.eventsOf(row, field)
          .map((event) => this.eventValue(event, row, field))
          .filter(isPresent),
      );
    }
    if (field.kind === 'intrinsic') return this.#intrinsicValue(row, field);
    const { scope, name } = field;
    switch (scope) {
      case 'span':
        return this.#attribute(row, name);
      case 'resource':
        return this.resource(this.batch.resource()[row] as number).get(name) ?? NIL;
      case 'instrumentation':
        return this.scope(this.batch.scope()[row] as number).attributes.get(name) ?? NIL;
      default:
        return this.#anyAttribute(row, name);
    }
  }

  /** Rows of the events (or links, by the field's scope) of a span, in their order. */
  eventsOf(row: number, field: Field): number[] {
    return this.eventRows(row, eventScopeOf(field) === 'link' ? LINK_ROW : EVENT_ROW);
  }

  eventRows(row: number, kind: number): number[] {
    const { batch } = this;
    if (batch.eventRows === 0) return [];
    const firsts = this.#eventIndex();
    const spans = batch.eventSpan();
    const kinds = batch.eventKind();
    const found: number[] = [];
    const first = firsts[row] as number;
    if (first < 0) return found;
    for (let event = first; event < batch.eventRows && spans[event] === row; event++) {
      if (kinds[event] === kind) found.push(event);
    }
    return found;
  }

  /** Of one event or link of a span. */
  eventValue(event: number, row: number, field: Field): Value {
    const { batch } = this;
    if (field.kind === 'attribute') {
      return this.#columnsValue(
        batch.eventAttributes(field.name),
        event,
        this.#fragmentOf(batch.eventKind()[event] === LINK_ROW ? 'link' : 'event', batch.eventOverflow(), event),
        field.name,
      );
    }
    switch (field.name) {
      case 'event:name': {
        const fragment = this.#fragmentOf('event', batch.eventOverflow(), event);
        if (fragment?.name !== undefined) return { type: 'string', value: fragment.name };
        const column = batch.eventName();
        const code = codeAt(column, event);
        return code < 0 ? { type: 'string', value: '' } : entryValue('string', column.dictionary, code);
      }
      case 'event:timeSinceStart':
        return { type: 'duration', value: BigInt.asIntN(64, time(batch.eventTime(), event) - this.startOf(row)) };
      case 'link:traceID':
        return this.#linkId(event, 0, 16);
      case 'link:spanID':
        return this.#linkId(event, 16, 24);
      default:
        return NIL;
    }
  }

  /** What the overflow has of a span, an event or a link; undefined where it has nothing. */
  fragment(kind: FragmentKind, column: CodedColumn, code: number): FragmentMessage {
    let known = this.#fragments.get(column);
    if (known === undefined) this.#fragments.set(column, (known = new Map()));
    // One dictionary serves events and links, whose fields have different numbers.
    const key = kind === 'link' ? -1 - code : code;
    let fragment = known.get(key);
    if (fragment === undefined) {
      const { bytes, offsets } = column.dictionary;
      fragment = this.#read(() => readFragment(kind, bytes.subarray(offsets[code], offsets[code + 1])));
      known.set(key, fragment);
    }
    return fragment;
  }

  #read<T>(read: () => T): T {
    return readFrom(this.batch.source, read);
  }

  #fragmentOf(kind: FragmentKind, column: CodedColumn, row: number): FragmentMessage | undefined {
    if (column.count === 0) return undefined;
    const code = codeAt(column, row);
    return code < 0 ? undefined : this.fragment(kind, column, code);
  }

  #attribute(row: number, key: string): Value {
    let columns = this.#attributes.get(key);
    if (columns === undefined) this.#attributes.set(key, (columns = this.batch.attributes(key)));
    return this.#columnsValue(columns, row, this.#fragmentOf('span', this.batch.overflow(), row), key);
  }

  #columnsValue(
    columns: readonly CodedColumn[],
    row: number,
    fragment: FragmentMessage | undefined,
    key: string,
  ): Value {
    const values: Value[] = [];
    for (const column of columns) {
      const code = codeAt(column, row);
      if (code >= 0) values.push(entryValue(column.type, column.dictionary, code));
    }
    const more = fragment?.attributes.get(key);
    return gather(more === undefined ? values : [...values, ...more]);
  }

  #anyAttribute(row: number, key: string): Value {
    const own = this.#attribute(row, key);
    if (own.type !== 'nil') return own;
    const resource = this.resource(this.batch.resource()[row] as number).get(key);
    if (resource !== undefined) return resource;
    for (const [kind, scope] of [
      [EVENT_ROW, 'event'],
      [LINK_ROW, 'link'],
    ] as const) {
      const field: Field = { kind: 'attribute', scope, name: key, text: key, from: 0, to: 0 };
      const values = this.eventRows(row, kind).map((event) => this.eventValue(event, row, field));
      const found = gather(values.filter(isPresent));
      if (found.type !== 'nil') return found;
    }
    return this.scope(this.batch.scope()[row] as number).attributes.get(key) ?? NIL;
  }

  #intrinsicValue(row: number, { name }: IntrinsicField): Value {
    const { batch } = this;
    switch (name) {
      case 'span:duration':
        return { type: 'duration', value: this.durationOf(row) };
      case 'span:name':
        return { type: 'string', value: this.nameOf(row) };
      case 'span:status':
        return statusValue(batch.status()[row] as number);
      case 'span:statusMessage': {
        const fragment = this.#fragmentOf('span', batch.overflow(), row);
        if (fragment?.statusMessage !== undefined) return { type: 'string', value: fragment.statusMessage };
        const column = batch.statusMessage();
        const code = codeAt(column, row);
        return code < 0 ? { type: 'string', value: '' } : entryValue('string', column.dictionary, code);
      }
      case 'span:kind':
        return kindValue(batch.kind()[row] as number);
      case 'span:id':
        return { type: 'string', value: bytesToHex(this.spanIdOf(row)) };
      case 'span:parentID': {
        const id = batch.parentIds().slice(8 * row, 8 * row + 8);
        return id.every((byte) => byte === 0) ? NIL : { type: 'string', value: bytesToHex(id) };
      }
      case 'trace:id': {
        const trace = this.traceOfRow()[row] as number;
        return { type: 'string', value: bytesToHex(batch.traceIds().slice(16 * trace, 16 * trace + 16)) };
      }
      case 'instrumentation:name':
        return { type: 'string', value: this.scope(batch.scope()[row] as number).name };
      case 'instrumentation:version':
        return { type: 'string', value: this.scope(batch.scope()[row] as number).version };
      default:
        return NIL;
    }
  }

  #linkId(event: number, from: number, to: number): Value {
    const id = this.batch.linkIds().slice(24 * event + from, 24 * event + to);
    return id.every((byte) => byte === 0) ? NIL : { type: 'string', value: bytesToHex(id) };
  }

  /** Row → its first event row, -1 where it has none. */
  #eventIndex(): Int32Array {
    if (this.#firstEvents !== undefined) return this.#firstEvents;
    const { batch } = this;
    const firsts = new Int32Array(batch.rows).fill(-1);
    const spans = batch.eventSpan();
    for (let event = batch.eventRows - 1; event >= 0; event--) firsts[spans[event] as number] = event;
    this.#firstEvents = firsts;
    return firsts;
  }
}

/** The code of a row, -1 where it has no value. */
export function codeAt({ rows, codes, count }: CodedColumn, row: number): number {
  if (rows === undefined) return row < count ? (codes[row] as number) : -1;
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle] as number) < row) low = middle + 1;
    else high = middle;
  }
  return low < count && rows[low] === row ? (codes[low] as number) : -1;
}

function isPresent(value: Value): boolean {
  return value.type !== 'nil';
}

const scratch = new DataView(new ArrayBuffer(8));

/** One bigint is made, and not four as by shifts. */
function time(halves: Uint32Array, row: number): bigint {
  scratch.setUint32(0, halves[2 * row] as number, true);
  scratch.setUint32(4, halves[2 * row + 1] as number, true);
  return scratch.getBigUint64(0, true);
}
