import type { FieldExpression } from '@vivace/traceql';
import type { CodedColumn } from '../batch.ts';
import type { BatchRows } from '../batch-rows.ts';
import { fieldsIn } from '../conjunction.ts';
import { pickCodes } from '../row-list.ts';
import { selectRows } from '../span-scan.ts';
import { RowSet } from './row-set.ts';

// Hot path: the first question about a column goes over its rows. Benchmark: `tags/tags.bench.ts`.

/** Whether a condition is of resources alone: it holds of all spans of one, or of none. */
export function isOfResources(condition: FieldExpression): boolean {
  const fields = fieldsIn(condition);
  return fields.length > 0 && fields.every((field) => field.kind === 'attribute' && field.scope === 'resource');
}

/**
 * The rows of a batch of a block that fulfil a condition which is of resources alone. One span of each resource is asked,
 * and the rows are looked up when somebody needs them: which values of a column the spans of which resources have is
 * worked out once for all such conditions.
 */
export function rowsOfResources(rows: BatchRows, condition: FieldExpression): RowSet {
  const { batch } = rows;
  const resource = batch.resource();
  const hits = new Uint8Array(batch.resources().length);
  const asked = firstRows(resource, batch.rows, hits.length);
  for (const row of selectRows(rows, condition, 'exact', asked) ?? asked) hits[resource[row] as number] = 1;
  return new ResourceRows(hits, resource, batch.rows);
}

class ResourceRows extends RowSet {
  /** Number of a resource → 1 where its rows are chosen. */
  readonly #hits: Uint8Array;
  readonly #resource: Int32Array;

  constructor(hits: Uint8Array, resource: Int32Array, rows: number) {
    super(() => {
      const table = new Uint8Array(hits.length + 1);
      table.set(hits, 1);
      return pickCodes(resource, table, undefined, rows);
    }, rows);
    this.#hits = hits;
    this.#resource = resource;
  }

  override get isEmpty(): boolean {
    return !this.#hits.includes(1);
  }

  override usedCodes(column: CodedColumn): Uint8Array {
    const known = codesByResource(column, this.#resource, this.#hits.length);
    if (known === undefined) return super.usedCodes(column);
    const used = new Uint8Array(column.dictionary.count);
    const width = used.length + 1;
    for (let number = this.#hits.indexOf(1); number >= 0; number = this.#hits.indexOf(1, number + 1)) {
      const from = number * width + 1;
      for (let code = 0; code < used.length; code++)
        used[code] = (used[code] as number) | (known[from + code] as number);
    }
    return used;
  }

  override usedNumbers(numbers: Int32Array, limit: number, count?: number): Uint8Array {
    return numbers === this.#resource ? this.#hits.slice() : super.usedNumbers(numbers, limit, count);
  }
}

/** By the resources of the rows of a batch of a block, which stay as they are. */
const firstKnown = new WeakMap<Int32Array, Int32Array>();

/** The first row of each resource that has one, ascending. */
function firstRows(resource: Int32Array, rows: number, count: number): Int32Array {
  const known = firstKnown.get(resource);
  if (known !== undefined) return known;
  const seen = new Uint8Array(count);
  const found: number[] = [];
  for (let row = 0; row < rows && found.length < count; row++) {
    const number = resource[row] as number;
    if (seen[number] !== 0) continue;
    seen[number] = 1;
    found.push(row);
  }
  const first = Int32Array.from(found);
  firstKnown.set(resource, first);
  return first;
}

/** Beside the four bytes of each code of a column, which the cache counts, half a byte at most; or this. */
const SMALL_TABLE = 256;

/** Stays as long as the column. */
const codesKnown = new WeakMap<CodedColumn, Uint8Array>();

/**
 * A row of bytes a resource, one more than the column has entries: at code + 1 a 1 where some span of the resource has the
 * entry. Undefined where that would be large beside the column.
 */
function codesByResource(column: CodedColumn, resource: Int32Array, resources: number): Uint8Array | undefined {
  const { rows, codes, count, dictionary } = column;
  const known = codesKnown.get(column);
  if (known !== undefined) return known;
  const width = dictionary.count + 1;
  if (resources * width > Math.max(SMALL_TABLE, count / 2)) return undefined;
  const table = new Uint8Array(resources * width);
  if (rows === undefined) {
    for (let row = 0; row < count; row++) {
      table[(resource[row] as number) * width + (codes[row] as number) + 1] = 1;
    }
  } else {
    for (let i = 0; i < count; i++) {
      table[(resource[rows[i] as number] as number) * width + (codes[i] as number) + 1] = 1;
    }
  }
  codesKnown.set(column, table);
  return table;
}
