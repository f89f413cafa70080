import type { StructuralOperator } from '@vivace/traceql';
import type { TraceRows } from './trace-rows.ts';

/** A set of spans of a trace: one byte a span. */
export type SpanSet = Uint8Array;

/**
 * The spans that `left operator right` returns: those of `right` that stand in the relation to a span of `left` (or to
 * none, with `!`), and with `&` those of `left` too that take part. Time grows with the number of spans.
 */
export function related(operator: StructuralOperator, trace: TraceRows, left: SpanSet, right: SpanSet): SpanSet {
  const mode = operator[0] === '!' || operator[0] === '&' ? operator[0] : '';
  const relation = (mode === '' ? operator : operator.slice(1)) as Relation;
  const matching = RELATED[relation](trace, left);
  const result = new Uint8Array(trace.count);
  const wanted = mode === '!' ? 0 : 1;
  for (let i = 0; i < result.length; i++) result[i] = right[i] === 1 && matching[i] === wanted ? 1 : 0;
  if (mode === '&') {
    const taking = RELATED[INVERSE[relation]](trace, right);
    for (let i = 0; i < result.length; i++) if (left[i] === 1 && taking[i] === 1) result[i] = 1;
  }
  return result;
}

type Relation = '>' | '<' | '>>' | '<<' | '~';

const INVERSE: Readonly<Record<Relation, Relation>> = { '>': '<', '<': '>', '>>': '<<', '<<': '>>', '~': '~' };

/** All spans that stand in a relation to one of `others`. */
const RELATED: Readonly<Record<Relation, (trace: TraceRows, others: SpanSet) => SpanSet>> = {
  '>': (trace, others) => {
    const parents = trace.parents();
    return Uint8Array.from(parents, (parent) => (parent >= 0 ? (others[parent] as number) : 0));
  },
  '<': (trace, others) => {
    const result = new Uint8Array(trace.count);
    for (const [i, parent] of trace.parents().entries()) if (parent >= 0 && others[i] === 1) result[parent] = 1;
    return result;
  },
  '>>': (trace, others) => {
    const parents = trace.parents();
    // 0: not known yet; 1: has no such ancestor; 2: has one.
    const state = new Uint8Array(trace.count);
    const path: number[] = [];
    for (let start = 0; start < state.length; start++) {
      let at = start;
      while (at >= 0 && state[at] === 0) {
        path.push(at);
        at = parents[at] as number;
      }
      let above = at;
      for (let span = path.pop(); span !== undefined; span = path.pop()) {
        state[span] = above >= 0 && (others[above] === 1 || state[above] === 2) ? 2 : 1;
        above = span;
      }
    }
    return state.map((one) => one >> 1);
  },
  '<<': (trace, others) => {
    const parents = trace.parents();
    const result = new Uint8Array(trace.count);
    for (let start = 0; start < result.length; start++) {
      if (others[start] !== 1) continue;
      for (let at = parents[start] as number; at >= 0 && result[at] === 0; at = parents[at] as number) result[at] = 1;
    }
    return result;
  },
  '~': (trace, others) => {
    const families = familiesOf(trace);
    const members = new Map<string | number, number>();
    for (const [i, family] of families.entries()) {
      if (family !== undefined && others[i] === 1) members.set(family, (members.get(family) ?? 0) + 1);
    }
    return Uint8Array.from(families, (family, i) => {
      const count = family === undefined ? 0 : (members.get(family) ?? 0);
      return count > (others[i] === 1 ? 1 : 0) ? 1 : 0;
    });
  },
};

/** What siblings share: their parent, or where that is missing its id. Roots have no siblings. */
function familiesOf(trace: TraceRows): (string | number | undefined)[] {
  const families: (string | number | undefined)[] = [];
  for (const [i, parent] of trace.parents().entries()) {
    families.push(parent >= 0 ? parent : trace.hasParentId(i) ? trace.parentIdText(i) : undefined);
  }
  return families;
}
