import { assert, utf8Encode } from '@vivace/kernel';
import { EVENT, SPAN } from '@vivace/otlp';
import type { Attribute, IntrinsicField } from '@vivace/traceql';
import type { CodedColumn } from '../batch.ts';
import type { BatchRows } from '../batch-rows.ts';
import type { FragmentKind, FragmentMessage } from '../messages.ts';
import type { Value } from '../value.ts';
import { eachUsed } from './collect-keys.ts';
import { eventRows, spansOf } from './event-rows.ts';
import { eachKey, hasField } from './fragment-fields.ts';
import type { MatchedBatch } from './matched-batches.ts';
import { rootRows } from './root-rows.ts';
import type { RowSet } from './row-set.ts';
import type { ValueSet } from './value-set.ts';

/**
 * Adds the values that an attribute has in the rows of a batch, which has been prepared for it. Without a scope it is
 * that of the first scope that has it, row by row: each scope is asked for the rows that those before it left.
 */
export function collectAttribute({ rows, chosen }: MatchedBatch, { scope, name }: Attribute, into: ValueSet): void {
  const collector = new AttributeCollector(rows, name, into, scope === 'any');
  switch (scope) {
    case 'span':
      collector.span(chosen);
      return;
    case 'resource':
      collector.resource(chosen);
      return;
    case 'event':
    case 'link':
      collector.events(scope, chosen);
      return;
    case 'instrumentation':
      collector.instrumentation(chosen);
      return;
    default: {
      let rest = collector.span(chosen);
      if (!rest.isEmpty) rest = collector.resource(rest);
      if (!rest.isEmpty) rest = collector.events('event', rest);
      if (!rest.isEmpty) rest = collector.events('link', rest);
      if (!rest.isEmpty) collector.instrumentation(rest);
    }
  }
}

/** Each method returns the rows that are left to the next scope: with `hides`, those without a value. */
class AttributeCollector {
  readonly #rows: BatchRows;
  readonly #name: string;
  readonly #into: ValueSet;
  readonly #hides: boolean;

  constructor(rows: BatchRows, name: string, into: ValueSet, hides: boolean) {
    this.#rows = rows;
    this.#name = name;
    this.#into = into;
    this.#hides = hides;
  }

  span(chosen: RowSet): RowSet {
    const { batch } = this.#rows;
    return this.#table('span', batch.attributes(this.#name), batch.overflow(), chosen);
  }

  events(scope: 'event' | 'link', chosen: RowSet): RowSet {
    const { batch } = this.#rows;
    if (batch.eventRows === 0) return chosen;
    const events = eventRows(this.#rows, scope, chosen);
    const rest = this.#table(scope, batch.eventAttributes(this.#name), batch.eventOverflow(), events);
    if (rest === events) return chosen;
    return chosen.without(spansOf(this.#rows, events, rest));
  }

  resource(chosen: RowSet): RowSet {
    const { batch } = this.#rows;
    return this.#owners(chosen, batch.resource(), batch.resources().length, (code) =>
      this.#rows.resource(code).get(this.#name),
    );
  }

  instrumentation(chosen: RowSet): RowSet {
    const { batch } = this.#rows;
    return this.#owners(chosen, batch.scope(), batch.scopes().length, (code) =>
      this.#rows.scope(code).attributes.get(this.#name),
    );
  }

  #table(kind: FragmentKind, columns: readonly CodedColumn[], overflow: CodedColumn, chosen: RowSet): RowSet {
    let rest = chosen;
    for (const column of columns) {
      this.#into.addUsed(column, chosen.usedCodes(column));
      if (this.#hides) rest = rest.without(rest.having(column));
    }
    if (overflow.count === 0) return rest;
    const hits = fragmentsWith(kind, overflow, chosen, this.#name);
    if (!hits.includes(1)) return rest;
    eachUsed(hits, (code) => {
      for (const value of this.#rows.fragment(kind, overflow, code).attributes.get(this.#name) ?? []) {
        this.#into.add(value);
      }
    });
    return this.#hides ? rest.without(rest.having(overflow, hits)) : rest;
  }

  #owners(chosen: RowSet, numbers: Int32Array, count: number, valueOf: (code: number) => Value | undefined): RowSet {
    const hits = new Uint8Array(count);
    eachUsed(chosen.usedNumbers(numbers, count), (code) => {
      const value = valueOf(code);
      if (value === undefined) return;
      hits[code] = 1;
      this.#into.add(value);
    });
    return this.#hides && hits.includes(1) ? chosen.withoutNumbers(numbers, hits) : chosen;
  }
}

/** Fragments of chosen rows that have an attribute. */
function fragmentsWith(kind: FragmentKind, overflow: CodedColumn, chosen: RowSet, name: string): Uint8Array {
  const { dictionary } = overflow;
  const hits = new Uint8Array(dictionary.count);
  const wanted = utf8Encode(name);
  // A key that is not UTF-8 reads as one with U+FFFD.
  const inexact = name.includes('\uFFFD');
  eachUsed(chosen.usedCodes(overflow), (code) => {
    eachKey(kind, dictionary, code, (from, to) => {
      if (inexact || isAt(dictionary.bytes, from, to, wanted)) hits[code] = 1;
    });
  });
  return hits;
}

function isAt(bytes: Uint8Array, from: number, to: number, wanted: Uint8Array): boolean {
  if (to - from !== wanted.length) return false;
  for (let i = 0; i < wanted.length; i++) if (bytes[from + i] !== wanted[i]) return false;
  return true;
}

/** Adds the texts that an intrinsic has in the rows of a batch, which has been prepared for it. */
export function collectIntrinsic(match: MatchedBatch, { name }: IntrinsicField, into: ValueSet): void {
  const { rows, chosen } = match;
  const { batch } = rows;
  const text = (value: string) => into.add({ type: 'string', value });
  switch (name) {
    case 'span:name':
      collectTexts(rows, chosen, NAMES, into);
      return;
    case 'span:statusMessage':
      collectTexts(rows, chosen, MESSAGES, into);
      return;
    case 'event:name':
      if (batch.eventRows > 0) collectTexts(rows, eventRows(rows, 'event', chosen), EVENT_NAMES, into);
      return;
    case 'trace:rootName':
      collectTexts(rows, rootRows(match), NAMES, into);
      return;
    case 'trace:rootService': {
      const used = rootRows(match).usedNumbers(batch.resource(), batch.resources().length);
      eachUsed(used, (code) => {
        const service = rows.resource(code).get('service.name');
        text(service?.type === 'string' ? service.value : '');
      });
      return;
    }
    case 'instrumentation:name':
    case 'instrumentation:version': {
      const member = name === 'instrumentation:name' ? 'name' : 'version';
      const used = chosen.usedNumbers(batch.scope(), batch.scopes().length);
      eachUsed(used, (code) => text(rows.scope(code)[member]));
      return;
    }
    default:
      assert(false, `the values of ${name} are not listed`);
  }
}

interface TextColumn {
  /** Rows without a text have the empty one. */
  mayLack: boolean;
  column(rows: BatchRows): CodedColumn;
  /** Where texts are that are not UTF-8, in place of those of the column. */
  overflow(rows: BatchRows): CodedColumn;
  kind: FragmentKind;
  field: number;
  member: keyof FragmentMessage & ('name' | 'statusMessage');
}

const NAMES: TextColumn = {
  mayLack: false,
  column: ({ batch }) => batch.name(),
  overflow: ({ batch }) => batch.overflow(),
  kind: 'span',
  field: SPAN.name,
  member: 'name',
};
const MESSAGES: TextColumn = {
  mayLack: true,
  column: ({ batch }) => batch.statusMessage(),
  overflow: ({ batch }) => batch.overflow(),
  kind: 'span',
  field: SPAN.status,
  member: 'statusMessage',
};
const EVENT_NAMES: TextColumn = {
  mayLack: true,
  column: ({ batch }) => batch.eventName(),
  overflow: ({ batch }) => batch.eventOverflow(),
  kind: 'event',
  field: EVENT.name,
  member: 'name',
};

function collectTexts(rows: BatchRows, chosen: RowSet, from: TextColumn, into: ValueSet): void {
  const { kind, field, member } = from;
  const overflow = from.overflow(rows);
  let left = chosen;
  if (overflow.count > 0) {
    const hits = new Uint8Array(overflow.dictionary.count);
    eachUsed(chosen.usedCodes(overflow), (code) => {
      if (!hasField(overflow.dictionary, code, field)) return;
      const value = rows.fragment(kind, overflow, code)[member];
      if (value === undefined) return;
      hits[code] = 1;
      into.add({ type: 'string', value });
    });
    if (hits.includes(1)) left = chosen.without(chosen.having(overflow, hits));
  }
  const column = from.column(rows);
  into.addUsed(column, left.usedCodes(column));
  if (from.mayLack && !left.isCovered(column)) into.add({ type: 'string', value: '' });
}
