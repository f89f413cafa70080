import { equalBytes } from '@vivace/kernel';
import type { StructuralOperator } from '@vivace/traceql';
import type { NaiveSpan } from './model.ts';

/** Whether `b` stands to `a` as in `{a} > {b}`. */
type Relation = (a: NaiveSpan, b: NaiveSpan) => boolean;

const RELATIONS: Readonly<Record<'>' | '<' | '>>' | '<<' | '~', Relation>> = {
  '>': (a, b) => b.parent === a,
  '<': (a, b) => a.parent === b,
  '>>': (a, b) => isAncestor(a, b),
  '<<': (a, b) => isAncestor(b, a),
  '~': areSiblings,
};

function isAncestor(ancestor: NaiveSpan, span: NaiveSpan): boolean {
  for (let above = span.parent; above !== undefined; above = above.parent) if (above === ancestor) return true;
  return false;
}

/** Children of one span; of spans whose parent is missing, those that name the same. */
function areSiblings(a: NaiveSpan, b: NaiveSpan): boolean {
  if (a === b || a.parent !== b.parent || a.parentId === undefined || b.parentId === undefined) return false;
  return a.parent !== undefined || equalBytes(a.parentId, b.parentId);
}

/** The spans that `{left} operator {right}` returns, in any order. */
export function related(operator: StructuralOperator, left: NaiveSpan[], right: NaiveSpan[]): NaiveSpan[] {
  const relation = RELATIONS[operator.replace(/^[!&]/, '') as keyof typeof RELATIONS];
  const matching = right.filter((b) => left.some((a) => relation(a, b)));
  if (operator.startsWith('!')) return right.filter((b) => !matching.includes(b));
  if (!operator.startsWith('&')) return matching;
  return [...left.filter((a) => right.some((b) => relation(a, b))), ...matching];
}
