import { bytesToHex } from '@vivace/kernel';
import type { Field } from '@vivace/traceql';
import type { BatchRows } from './batch-rows.ts';
import { NIL, type Value } from './value.ts';

/** Spans of one trace and what they are to each other. */
export class TraceRows {
  readonly count: number;
  readonly #readTraceId: () => Uint8Array;
  /** The batch of the i-th span in canonical order, or of all; and its row there. */
  readonly #sources: BatchRows | readonly BatchRows[];
  readonly rows: Int32Array;
  #parents: Int32Array | undefined;
  #numbers: NestedNumbers | undefined;
  #childCounts: Int32Array | undefined;
  #end: bigint | undefined;
  #root: number | undefined;

  /** Spans are given in canonical order, each once; the id (16 bytes) is read when it is asked for. */
  constructor(traceId: () => Uint8Array, sources: BatchRows | readonly BatchRows[], rows: Int32Array) {
    this.#readTraceId = traceId;
    this.#sources = sources;
    this.rows = rows;
    this.count = rows.length;
  }

  /** 16 bytes. */
  traceId(): Uint8Array {
    return this.#readTraceId();
  }

  source(i: number): BatchRows {
    return Array.isArray(this.#sources) ? (this.#sources[i] as BatchRows) : (this.#sources as BatchRows);
  }

  row(i: number): number {
    return this.rows[i] as number;
  }

  start(): bigint {
    return this.source(0).startOf(this.row(0));
  }

  /** The latest end, and no earlier than the first start. */
  end(): bigint {
    if (this.#end !== undefined) return this.#end;
    const last = this.#lastEnding();
    const latest = this.source(last).endOf(this.row(last));
    const start = this.start();
    this.#end = latest > start ? latest : start;
    return this.#end;
  }

  /** The span that ends last: by halves, without a bigint a span. */
  #lastEnding(): number {
    let last = 0;
    let [lastLow, lastHigh] = [0, 0];
    for (let i = 0; i < this.count; i++) {
      const ends = this.source(i).ends();
      const low = ends[2 * this.row(i)] as number;
      const high = ends[2 * this.row(i) + 1] as number;
      if (high > lastHigh || (high === lastHigh && low > lastLow)) [last, lastLow, lastHigh] = [i, low, high];
    }
    return last;
  }

  /** The first span without a parent id; -1 where there is none. */
  root(): number {
    if (this.#root !== undefined) return this.#root;
    let root = 0;
    while (root < this.count && this.hasParentId(root)) root++;
    this.#root = root < this.count ? root : -1;
    return this.#root;
  }

  hasParentId(i: number): boolean {
    const ids = this.source(i).parentIds();
    const at = 8 * this.row(i);
    for (let k = at; k < at + 8; k++) if (ids[k] !== 0) return true;
    return false;
  }

  /** Eight bytes as text, to compare ids by. */
  parentIdText(i: number): string {
    return idText(this.source(i).parentIds(), this.row(i));
  }

  /**
   * Span → its parent: the first span with that id. -1 for roots, for orphans, and for spans on a cycle, which are
   * orphans too.
   */
  parents(): Int32Array {
    if (this.#parents !== undefined) return this.#parents;
    const parents = new Int32Array(this.count).fill(-1);
    const byId = new Map<string, number>();
    for (let i = this.count - 1; i >= 0; i--) byId.set(idText(this.source(i).spanIds(), this.row(i)), i);
    for (let i = 0; i < this.count; i++) {
      if (this.hasParentId(i)) parents[i] = byId.get(this.parentIdText(i)) ?? -1;
    }
    cutCycles(parents);
    this.#parents = parents;
    return parents;
  }

  nestedNumbers(): NestedNumbers {
    this.#numbers ??= numberSpans(this.parents(), (i) => this.hasParentId(i));
    return this.#numbers;
  }

  #childCount(i: number): number {
    if (this.#childCounts === undefined) {
      this.#childCounts = new Int32Array(this.count);
      for (const parent of this.parents())
        if (parent >= 0) this.#childCounts[parent] = (this.#childCounts[parent] as number) + 1;
    }
    return this.#childCounts[i] as number;
  }

  /** Of a field of events: of all events of the span. */
  value(i: number, field: Field): Value {
    if (field.kind === 'intrinsic') {
      switch (field.name) {
        case 'trace:id':
          return { type: 'string', value: bytesToHex(this.traceId()) };
        case 'trace:duration':
          return { type: 'duration', value: this.end() - this.start() };
        case 'trace:rootName': {
          const root = this.root();
          return root < 0 ? NIL : { type: 'string', value: this.source(root).nameOf(this.row(root)) };
        }
        case 'trace:rootService': {
          const root = this.root();
          return root < 0 ? NIL : { type: 'string', value: this.source(root).service(this.row(root)) };
        }
        case 'span:childCount':
          return { type: 'int', value: BigInt(this.#childCount(i)) };
        case 'nestedSetLeft':
          return { type: 'int', value: BigInt(this.nestedNumbers().left[i] as number) };
        case 'nestedSetRight':
          return { type: 'int', value: BigInt(this.nestedNumbers().right[i] as number) };
        case 'nestedSetParent':
          return { type: 'int', value: BigInt(this.nestedNumbers().parent[i] as number) };
        default:
      }
    }
    return this.source(i).valueOf(this.row(i), field);
  }
}

/** Positions on the walk around the trees of a trace; `parent` is the left of the parent, -1 of roots, 0 of orphans. */
export interface NestedNumbers {
  left: Int32Array;
  right: Int32Array;
  parent: Int32Array;
}

/** Takes their parent from the spans that lie on a cycle; what hangs below them stays. */
function cutCycles(parents: Int32Array): void {
  // 0: not looked at; n > 0: on the n-th walk; -1: known to be on no cycle, or cut.
  const walk = new Int32Array(parents.length);
  const cut: number[] = [];
  for (let start = 0; start < parents.length; start++) {
    if (walk[start] !== 0) continue;
    let at = start;
    while (at >= 0 && walk[at] === 0) {
      walk[at] = start + 1;
      at = parents[at] as number;
    }
    if (at >= 0 && walk[at] === start + 1) {
      // The walk met itself: from here on it went around.
      let member = at;
      do {
        cut.push(member);
        member = parents[member] as number;
      } while (member !== at);
    }
  }
  for (const member of cut) parents[member] = -1;
}

function numberSpans(parents: Int32Array, hasParentId: (i: number) => boolean): NestedNumbers {
  const count = parents.length;
  const left = new Int32Array(count);
  const right = new Int32Array(count);
  const parent = new Int32Array(count);
  // Children of each span as a list in canonical order: first child, next sibling.
  const firstChild = new Int32Array(count).fill(-1);
  const nextSibling = new Int32Array(count).fill(-1);
  const roots: number[] = [];
  const orphans: number[] = [];
  for (let i = count - 1; i >= 0; i--) {
    const above = parents[i] as number;
    if (above < 0) (hasParentId(i) ? orphans : roots).push(i);
    else {
      nextSibling[i] = firstChild[above] as number;
      firstChild[above] = i;
    }
  }
  let next = 1;
  const visit = (top: number, topParent: number): void => {
    parent[top] = topParent;
    left[top] = next++;
    let at = top;
    for (;;) {
      const child = firstChild[at] as number;
      if (child >= 0) {
        parent[child] = left[at] as number;
        left[child] = next++;
        at = child;
        continue;
      }
      // Up to the first with a sibling that was not visited.
      for (;;) {
        right[at] = next++;
        if (at === top) return;
        const sibling = nextSibling[at] as number;
        if (sibling >= 0) {
          parent[sibling] = left[parents[at] as number] as number;
          left[sibling] = next++;
          at = sibling;
          break;
        }
        at = parents[at] as number;
      }
    }
  };
  for (const root of roots.reverse()) visit(root, -1);
  for (const orphan of orphans.reverse()) visit(orphan, 0);
  return { left, right, parent };
}

function idText(ids: Uint8Array, row: number): string {
  const at = 8 * row;
  return String.fromCharCode(
    ids[at] as number,
    ids[at + 1] as number,
    ids[at + 2] as number,
    ids[at + 3] as number,
    ids[at + 4] as number,
    ids[at + 5] as number,
    ids[at + 6] as number,
    ids[at + 7] as number,
  );
}
