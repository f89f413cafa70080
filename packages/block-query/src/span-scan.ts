import { type Field, type FieldExpression, printFieldExpression } from '@vivace/traceql';
import type { BatchRows } from './batch-rows.ts';
import { resourceFlags, spanFlags, traceRowsOf } from './column-flags.ts';
import { conjunctionAt, type EventScope, fieldsIn, needsWholeTrace } from './conjunction.ts';
import { holdsOf, isId, satisfying } from './evaluate.ts';
import { spansWithEvent } from './event-scan.ts';
import { costOf, type LiteralComparison, rootsOf } from './literal-comparison.ts';
import type { LiteralTest } from './literal-test.ts';
import { type PreparedComparison, preparedComparison, tableOf } from './prepared-comparison.ts';
import {
  everyRow,
  maskOf,
  pickBytes,
  pickCodes,
  pickGreater,
  pickRows,
  pickSparse,
  type RowList,
  union,
  without,
} from './row-list.ts';
import { TraceRows } from './trace-rows.ts';
import { isTrue, kindValue, statusValue, type Value } from './value.ts';

// Hot path: conditions for all rows of a batch. A comparison with a literal is decided once a dictionary entry and
// then by code; of several joined by `&&` each looks only at the rows that the one before left. What is no such
// comparison goes row by row (evaluate.ts). Benchmark: `npm run bench -- micro`.

/**
 * `exact`: the traces of the batch are whole. `possible`: it has parts of traces, and what depends on the other parts is
 * not known; the result then has every row for which the condition may hold.
 */
export type Knowledge = 'exact' | 'possible';

/** Longer conditions, and those of which more rows are left, are not kept by block. */
const MAX_PARTIAL_TEXT = 1000;
const MAX_PARTIAL_ROWS = 1 << 15;

/** The rows of `within` for which a condition holds, ascending; dead rows may be among them. */
export function selectRows(
  source: BatchRows,
  condition: FieldExpression | undefined,
  knowledge: Knowledge,
  within?: RowList,
): RowList {
  if (condition === undefined) return within;
  const select = () => new SpanScan(source, knowledge).condition(condition, true, within);
  const { partials } = source.batch;
  // Asked of all rows it is the same for ever, whatever the query around it.
  if (partials === undefined || within !== undefined) return select();
  const text = `${knowledge} ${printFieldExpression(condition)}`;
  if (text.length > MAX_PARTIAL_TEXT) return select();
  const known = partials.get(text);
  if (known !== undefined) return known;
  const rows = select();
  if (rows !== undefined && rows.length <= MAX_PARTIAL_ROWS) partials.put(text, rows);
  return rows;
}

/** The same of all rows, one byte a row: 1 where the condition holds. */
export function scanRows(
  source: BatchRows,
  condition: FieldExpression | undefined,
  knowledge: Knowledge,
): Uint8Array<ArrayBuffer> {
  return maskOf(selectRows(source, condition, knowledge), source.batch.rows);
}

class SpanScan {
  readonly #source: BatchRows;
  readonly #knowledge: Knowledge;
  readonly #rows: number;

  constructor(source: BatchRows, knowledge: Knowledge) {
    this.#source = source;
    this.#knowledge = knowledge;
    this.#rows = source.batch.rows;
  }

  /**
   * `positive`: whether the whole holds where this does, rather than where it does not; it decides what is taken for
   * possible.
   */
  condition(condition: FieldExpression, positive: boolean, within: RowList): RowList {
    const { rest, event, link } = conjunctionAt(condition);
    let list = within;
    // The cheap first: they leave less for the others.
    for (const operand of rest.length > 1 ? [...rest].sort((a, b) => costOf(a) - costOf(b)) : rest) {
      if (list?.length === 0) return list;
      list = operand === condition ? this.#own(operand, positive, list) : this.condition(operand, positive, list);
    }
    if (event.length > 0 && list?.length !== 0) list = this.#eventGroup(event, 'event', list);
    if (link.length > 0 && list?.length !== 0) list = this.#eventGroup(link, 'link', list);
    return list;
  }

  #own(expression: FieldExpression, positive: boolean, list: RowList): RowList {
    if (expression.kind === 'static') return isTrue(expression.value) ? list : NO_ROWS;
    if (expression.kind === 'unary' && expression.operator === '!') {
      const rows = this.condition(expression.operand, !positive, list);
      return rows === undefined ? NO_ROWS : without(list, rows, this.#rows);
    }
    if (expression.kind === 'binary' && expression.operator === '||') {
      const left = this.condition(expression.left, positive, list);
      if (left === undefined) return list;
      const right = this.condition(expression.right, positive, list);
      return right === undefined ? list : union(left, right);
    }
    const comparison = preparedComparison(expression);
    const roots = comparison && rootsOf(comparison);
    if (roots !== undefined) return this.#roots(roots, list);
    if (this.#knowledge === 'possible' && fieldsIn(expression).some(needsWholeTrace)) return positive ? list : NO_ROWS;
    return (comparison && this.#comparison(comparison, list)) ?? this.#rowByRow(expression, list);
  }

  /** Undefined for what has no column. */
  #comparison(comparison: PreparedComparison, list: RowList): Int32Array | undefined {
    const { field, test, verdicts } = comparison;
    if (isId(field)) return undefined;
    const { batch } = this.#source;
    if (field.kind === 'attribute') {
      if (field.scope === 'resource') {
        const table = tableOf(comparison, batch.resources(), () =>
          shifted(resourceFlags(this.#source, field.name, test), verdicts, 0),
        );
        return pickCodes(batch.resource(), table, list, this.#rows);
      }
      if (field.scope === 'span') {
        const rows = this.#fromColumn(field.name, comparison, list);
        if (rows !== undefined) return rows;
      }
    } else {
      switch (field.name) {
        case 'span:duration': {
          const rows = this.#durations(comparison, list);
          return rows ?? this.#durationFlags(test, verdicts, list);
        }
        case 'span:status':
          return pickBytes(batch.status(), byNumber(statusValue, comparison), list, this.#rows);
        case 'span:kind':
          return pickBytes(batch.kind(), byNumber(kindValue, comparison), list, this.#rows);
        case 'span:name':
          if (batch.overflow().count === 0) {
            const name = batch.name();
            const table = tableOf(comparison, name, () => shifted(test.ofEntries(name), verdicts, 0));
            return pickCodes(name.codes, table, list, this.#rows);
          }
          break;
        default:
      }
    }
    const flags = spanFlags(this.#source, field, test);
    if (flags === undefined) return undefined;
    return pickBytes(flags, verdicts, list, this.#rows);
  }

  /** An attribute that lies in one column and nowhere else; undefined for others. */
  #fromColumn(key: string, comparison: PreparedComparison, list: RowList): Int32Array | undefined {
    const { test, verdicts } = comparison;
    const { batch } = this.#source;
    const columns = batch.attributes(key);
    const [column] = columns;
    if (columns.length > 1 || batch.overflow().count > 0) return undefined;
    const absent = verdicts[0] as number;
    if (column === undefined) return absent === 1 ? (list ?? everyRow(this.#rows)) : NO_ROWS;
    const table = tableOf(comparison, column, () => shifted(test.ofEntries(column), verdicts, absent));
    const { rows, codes, count } = column;
    if (rows === undefined) return pickCodes(codes, table, list, this.#rows);
    return absent === 1 ? undefined : pickSparse({ rows, codes, count }, table, list);
  }

  /** Undefined for comparisons that are not with one bound. */
  #durations({ operator, literal }: LiteralComparison, list: RowList): Int32Array | undefined {
    if (literal?.type !== 'duration' && literal?.type !== 'int') return undefined;
    // `>= n` is `> n - 1`, and the others are the opposite of one of the two.
    const bound = operator === '>=' || operator === '<' ? literal.value - 1n : literal.value;
    if (operator !== '>' && operator !== '>=' && operator !== '<' && operator !== '<=') return undefined;
    const greater = operator === '>' || operator === '>=';
    if (bound < 0n) return greater ? (list ?? everyRow(this.#rows)) : NO_ROWS;
    const low = Number(bound & 0xffffffffn);
    const high = Number(bound >> 32n);
    return pickGreater(this.#source.batch.duration(), low, high, greater, list, this.#rows);
  }

  #durationFlags(test: LiteralTest, verdicts: Uint8Array, list: RowList): Int32Array {
    return pickRows(list, this.#rows, (row) => {
      const flags = test.ofValue({ type: 'duration', value: this.#source.durationOf(row) });
      return verdicts[flags] === 1;
    });
  }

  #roots(wanted: boolean, list: RowList): Int32Array {
    const ids = wordsOf(this.#source.batch.parentIds());
    return pickRows(list, this.#rows, (row) => (ids[2 * row] === 0 && ids[2 * row + 1] === 0) === wanted);
  }

  #eventGroup(group: readonly FieldExpression[], scope: EventScope, list: RowList): RowList {
    if (this.#source.batch.eventRows === 0) return NO_ROWS;
    const rows = spansWithEvent(this.#source, group, scope);
    if (rows !== undefined) return pickBytes(rows, ONE, list, this.#rows);
    return this.#each(list, (trace, i) => satisfying(group, scope, trace, i) !== undefined);
  }

  #rowByRow(expression: FieldExpression, list: RowList): Int32Array {
    const holds = (trace: TraceRows, i: number) => holdsOf(expression, trace, i);
    const byTrace = fieldsIn(expression).some((field) => needsWholeTrace(field) || isTraceId(field));
    return byTrace ? this.#eachOfTraces(list, holds) : this.#each(list, holds);
  }

  #each(list: RowList, test: (trace: TraceRows, i: number) => boolean): Int32Array {
    const rows = list ?? everyRow(this.#rows);
    const all = new TraceRows(() => NO_TRACE, this.#source, rows);
    return rows.filter((_, i) => test(all, i));
  }

  #eachOfTraces(list: RowList, test: (trace: TraceRows, i: number) => boolean): Int32Array {
    const found: number[] = [];
    const traces = this.#source.traceOfRow();
    const wanted = list && maskOf(list, this.#rows);
    const done = new Set<number>();
    for (const row of list ?? everyRow(this.#rows)) {
      const trace = traces[row] as number;
      if (trace < 0 || done.has(trace)) continue;
      done.add(trace);
      const spans = traceRowsOf(this.#source, trace);
      for (let i = 0; i < spans.count; i++) {
        if ((wanted === undefined || wanted[spans.row(i)] === 1) && test(spans, i)) found.push(spans.row(i));
      }
    }
    return Int32Array.from(found).sort();
  }
}

const NO_ROWS = new Int32Array(0);
/** Byte → itself, of bytes that are 0 or 1. */
const ONE = Uint8Array.of(0, 1);

function isTraceId(field: Field): boolean {
  return field.kind === 'intrinsic' && field.name === 'trace:id';
}

/** Of rows that are looked at as if they were of one trace, because nothing is asked of it. */
const NO_TRACE = new Uint8Array(16);

/** Code + 1 → whether the comparison holds, from the flags of each code; the first is of rows without a value. */
function shifted(flags: Uint8Array, verdicts: Uint8Array, absent: number): Uint8Array {
  const table = new Uint8Array(flags.length + 1);
  table[0] = absent;
  for (let code = 0; code < flags.length; code++) table[code + 1] = verdicts[flags[code] as number] as number;
  return table;
}

function byNumber(valueFor: (number: number) => Value, comparison: PreparedComparison): Uint8Array {
  const { test, verdicts } = comparison;
  return tableOf(comparison, valueFor, () =>
    Uint8Array.from({ length: 256 }, (_, n) => verdicts[test.ofValue(valueFor(n))] as number),
  );
}

function wordsOf(bytes: Uint8Array): Int32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length >>> 2);
}
