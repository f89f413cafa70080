import type { FieldExpression } from '@vivace/traceql';
import { type LiteralComparison, literalComparison, verdictTable } from './literal-comparison.ts';
import { type LiteralTest, literalTest } from './literal-test.ts';

/** A comparison with a literal and what is worked out of it once a query, whatever the batches. */
export interface PreparedComparison extends LiteralComparison {
  test: LiteralTest;
  verdicts: Uint8Array;
  /** For what is said by number, or of the resources of a block, which all batches of it share: see `tableOf`. */
  tables: WeakMap<object, Uint8Array>;
}

const prepared = new WeakMap<FieldExpression, PreparedComparison>();

/** As `literalComparison`. */
export function preparedComparison(expression: FieldExpression): PreparedComparison | undefined {
  const known = prepared.get(expression);
  if (known !== undefined) return known;
  const comparison = literalComparison(expression);
  if (comparison === undefined) return undefined;
  const made = {
    ...comparison,
    test: literalTest(comparison.operator, comparison.literal),
    verdicts: verdictTable(comparison),
    tables: new WeakMap(),
  };
  prepared.set(expression, made);
  return made;
}

/** The table of what `key` stands for, made the first time. */
export function tableOf({ tables }: PreparedComparison, key: object, make: () => Uint8Array): Uint8Array {
  let table = tables.get(key);
  if (table === undefined) tables.set(key, (table = make()));
  return table;
}
