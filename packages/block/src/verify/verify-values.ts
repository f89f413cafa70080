import { isUtf8 } from 'node:buffer';
import type { AttributeColumn, ColumnSetView, DictionaryView, SparseColumn } from '@vivace/columns';
import { BlockFacts } from '../block-facts.ts';
import { BYTES, FieldWalker } from '../fields.ts';
import { FILTER_BLOCK_BYTES, filterMayHold, filterProbeOffset } from '../filter.ts';
import { scanKeyValue } from '../key-value.ts';
import { type AttributeScope, RESOURCE_ROW } from '../layout.ts';
import type { ValueSummary } from '../value-summary.ts';
import type { Findings } from './findings.ts';

const SPAN_ATTRIBUTE = 9;
const EVENT_ATTRIBUTE = 3;
const LINK_ATTRIBUTE = 4;
const RESOURCE_ATTRIBUTE = 1;
const SCOPE_ATTRIBUTE = 3;
const LINK = 1;

/**
 * Looks every trace id and attribute value up in the filter, in the way in which the writer adds them, and counts
 * attributes as the value summary does.
 */
export class ValueCheck {
  readonly #facts: BlockFacts;
  readonly #findings: Findings;
  readonly #totals = new Map<string, number>();
  /** What is being looked up, for the finding. */
  #what = '';
  #rowGroup: number | undefined;
  #missing = 0;

  /** `filter` undefined: it is damaged, and nothing is looked up. */
  constructor(filter: Uint8Array | undefined, findings: Findings) {
    this.#findings = findings;
    this.#facts = new BlockFacts({
      add: (low, high) => {
        if (filter === undefined) return;
        const at = filterProbeOffset(filter.length, high);
        if (filterMayHold(filter.subarray(at, at + FILTER_BLOCK_BYTES), filter.length, low, high)) return;
        this.#missing++;
        // Of a filter that was made of something else nearly everything is missing: once is enough.
        if (this.#missing > 1) return;
        const rowGroup = this.#rowGroup === undefined ? {} : { rowGroup: this.#rowGroup };
        findings.add({ section: 'filter', ...rowGroup, offset: at, what: `the filter does not have ${this.#what}` });
      },
      finish: () => new Uint8Array(0),
    });
  }

  /** The spans and events of a run of row groups. */
  rows(set: ColumnSetView, rowGroup: number): void {
    this.#rowGroup = rowGroup;
    this.#what = 'a trace id';
    for (let trace = 0; trace < set.traceCount; trace++) this.#facts.traceId(set.traceIds, 16 * trace);
    for (const column of set.attributes) this.#column('span', 'spans', column);
    this.#fragments('span', 'spans', SPAN_ATTRIBUTE, set.overflow);
    const { events } = set;
    const isLink = (row: number) => events.kind[row] === LINK;
    for (const column of events.attributes) {
      this.#column('event', 'events', column, (row) => !isLink(row));
      this.#column('link', 'events', column, isLink);
    }
    this.#fragments('event', 'events', EVENT_ATTRIBUTE, events.overflow, (row) => !isLink(row));
    this.#fragments('link', 'events', LINK_ATTRIBUTE, events.overflow, isLink);
  }

  /** The attributes of a resource or scope, which `spans` spans have. */
  owner(kind: number, bytes: Uint8Array, spans: number): void {
    this.#rowGroup = undefined;
    const scope = kind === RESOURCE_ROW ? 'resource' : 'instrumentation';
    const field = kind === RESOURCE_ROW ? RESOURCE_ATTRIBUTE : SCOPE_ATTRIBUTE;
    this.#findings.check({ section: 'resources', column: 'bytes' }, () => {
      const outer = new FieldWalker(bytes);
      while (outer.next()) {
        if (outer.field !== 1 || outer.wire !== BYTES) continue;
        const inner = new FieldWalker(bytes, outer.from, outer.to);
        while (inner.next()) {
          if (inner.wire !== BYTES || inner.field !== field) continue;
          const attribute = scanKeyValue(bytes, inner.from, inner.to);
          const key = Buffer.from(attribute.key).toString();
          this.#what = `a value of the ${scope} attribute ${key}`;
          this.#facts.attribute(scope, attribute, spans);
          this.#count(scope, attribute.type ?? 'other', key, spans);
        }
      }
    });
  }

  /** Compares the counts with those of the value summary. Its list may be cut short; what it lists is right. */
  finish(summary: ValueSummary): void {
    for (const { scope, key, type, total } of summary.attributes) {
      if (scope === 'intrinsic') continue;
      const counted = this.#totals.get(`${scope} ${type} ${key}`) ?? 0;
      this.#totals.delete(`${scope} ${type} ${key}`);
      if (counted === total) continue;
      const what = `the value summary counts ${total} of the ${scope} attribute ${key} (${type}), and there are ${counted}`;
      this.#findings.add({ section: 'index', what });
    }
    const [missing] = this.#totals.keys();
    if (missing === undefined || summary.truncated) return;
    this.#findings.add({ section: 'index', what: `the value summary does not know an attribute: ${missing}` });
  }

  #column(
    scope: AttributeScope,
    section: 'spans' | 'events',
    column: AttributeColumn,
    takes: (row: number) => boolean = () => true,
  ): void {
    const { counts, total } = countCodes(column, takes);
    if (total === 0) return;
    this.#what = `a value of the ${scope} attribute ${column.key}`;
    this.#facts.column(scope, column, counts, total);
    this.#count(scope, column.type, column.key, total);
    if (column.type === 'string' && !allUtf8(column.dictionary)) {
      const where = this.#rowGroup === undefined ? {} : { rowGroup: this.#rowGroup };
      this.#findings.add({ section, ...where, column: `attr.${column.key}`, what: 'a text is not UTF-8' });
    }
  }

  #fragments(
    scope: AttributeScope,
    section: 'spans' | 'events',
    field: number,
    column: SparseColumn,
    takes: (row: number) => boolean = () => true,
  ): void {
    const { counts, total } = countCodes(column, takes);
    if (total === 0) return;
    this.#what = `a value of a ${scope} attribute in overflow`;
    const where = this.#rowGroup === undefined ? {} : { rowGroup: this.#rowGroup };
    this.#findings.check({ section, ...where, column: 'overflow' }, () => {
      const { dictionary } = column;
      this.#facts.fragments(scope, field, dictionary, counts);
      for (let code = 0; code < dictionary.count; code++) {
        const count = counts[code] as number;
        if (count === 0) continue;
        const walker = new FieldWalker(dictionary.bytes, dictionary.offsets[code], dictionary.offsets[code + 1]);
        while (walker.next()) {
          if (walker.field !== field || walker.wire !== BYTES) continue;
          const { key, type } = scanKeyValue(dictionary.bytes, walker.from, walker.to);
          this.#count(scope, type ?? 'other', Buffer.from(key).toString(), count);
        }
      }
    });
  }

  #count(scope: AttributeScope, type: string, key: string, count: number): void {
    const id = `${scope} ${type} ${key}`;
    this.#totals.set(id, (this.#totals.get(id) ?? 0) + count);
  }
}

function countCodes(
  { count, rows, codes, dictionary }: SparseColumn,
  takes: (row: number) => boolean,
): { counts: Int32Array; total: number } {
  const counts = new Int32Array(dictionary.count);
  let total = 0;
  for (let i = 0; i < count; i++) {
    if (!takes(rows[i] as number)) continue;
    const code = codes[i] as number;
    counts[code] = (counts[code] as number) + 1;
    total++;
  }
  return { counts, total };
}

function allUtf8({ count, bytes, offsets }: DictionaryView): boolean {
  for (let code = 0; code < count; code++) {
    if (!isUtf8(bytes.subarray(offsets[code], offsets[code + 1]))) return false;
  }
  return true;
}
