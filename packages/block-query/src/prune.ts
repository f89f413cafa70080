import { utf8Encode } from '@vivace/kernel';
import type { FieldExpression, Static } from '@vivace/traceql';
import { isNil } from './conjunction.ts';
import { literalComparison } from './literal-comparison.ts';
import type { Source, TypedBytes } from './source.ts';

/** False: no span of a source certainly fulfils a condition, by what its filter says of the values in it. */
export async function mayHold(
  source: Source,
  condition: FieldExpression | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  if (condition === undefined) return true;
  if (condition.kind === 'static') return condition.value.type === 'bool' && condition.value.value;
  if (condition.kind !== 'binary') return true;
  const { operator, left, right } = condition;
  if (operator === '&&') return (await mayHold(source, left, signal)) && (await mayHold(source, right, signal));
  if (operator === '||') return (await mayHold(source, left, signal)) || (await mayHold(source, right, signal));
  const comparison = operator === '=' && !isNil(left) && !isNil(right) ? literalComparison(condition) : undefined;
  if (comparison?.field.kind !== 'attribute' || comparison.literal === undefined) return true;
  return source.mayHold(comparison.field.name, equalValues(comparison.literal), signal);
}

/** By literal of a query: every block is asked for the same. */
const known = new WeakMap<Static, TypedBytes[]>();

/** Every value that is equal to a literal, as a column has it; none where they are not that few. */
function equalValues(literal: Static): TypedBytes[] {
  let values = known.get(literal);
  if (values === undefined) known.set(literal, (values = columnValues(literal)));
  return values;
}

function columnValues(literal: Static): TypedBytes[] {
  switch (literal.type) {
    case 'string':
      return literal.value.includes('\uFFFD') ? [] : [{ type: 'string', bytes: utf8Encode(literal.value) }];
    case 'bool':
      return [{ type: 'bool', bytes: Uint8Array.of(literal.value ? 1 : 0) }];
    case 'int':
    case 'duration':
      return [intBytes(literal.value), doubleBytes(Number(literal.value))];
    case 'float':
      if (Number.isNaN(literal.value) || Math.abs(literal.value) > Number.MAX_SAFE_INTEGER) return [];
      if (!Number.isInteger(literal.value)) return [doubleBytes(literal.value)];
      return [doubleBytes(literal.value), intBytes(BigInt(literal.value))];
    default:
      return [];
  }
}

function intBytes(value: bigint): TypedBytes {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, value, true);
  return { type: 'int', bytes };
}

function doubleBytes(value: number): TypedBytes {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return { type: 'double', bytes };
}
