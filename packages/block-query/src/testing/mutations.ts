/**
 * Mistakes to plant in the evaluator that answers queries. A comparison with the naive one that does not notice one of
 * them proves nothing about it.
 */
export interface Mutation {
  /** From `src`. */
  file: string;
  /** Occurs once in the file. */
  from: string;
  to: string;
}

export const MUTATIONS: Record<string, Mutation> = {
  'traces that several sources have are also taken for whole': {
    file: 'select-traces.ts',
    from: 'if (flags[trace] === 1) candidates[trace] = 0;',
    to: ';',
  },
  'the older version of a span stays': {
    file: 'merge-parts.ts',
    from: 'return endA > endB;',
    to: 'return endA < endB;',
  },
  '!= holds of what is missing': {
    file: 'value.ts',
    from: '(flags & (COMPARABLE | HOLDS)) === COMPARABLE',
    to: '(flags & HOLDS) === 0',
  },
  '< holds of what is equal': { file: 'value.ts', from: 'return a < b;', to: 'return a <= b;' },
  'spans on a circle keep their parents': {
    file: 'trace-rows.ts',
    from: 'for (const member of cut) parents[member] = -1;',
    to: ';',
  },
  'conditions on events hold of different events': {
    file: 'evaluate.ts',
    from: 'group.every((condition)',
    to: 'group.some((condition)',
  },
  'a trace that starts when the search ends is not in it': {
    file: 'search.ts',
    from: 'startUnixNano > request.endUnixNano',
    to: 'startUnixNano >= request.endUnixNano',
  },
  'a source in which one filter finds nothing is left out': {
    file: 'select-traces.ts',
    from: 'every((one) => !one)',
    to: 'some((one) => !one)',
  },
  'a span that starts with an interval counts in it': {
    file: 'metrics/intervals.ts',
    from: 'const base = from + 1n;',
    to: 'const base = from;',
  },
  'what comes after the last interval counts too': {
    file: 'metrics/intervals.ts',
    from: 'if (offset >= this.#range) return AFTER;',
    to: 'if (offset > this.#range + this.#width) return AFTER;',
  },
  'all spans of a trace are where its first is': {
    file: 'metrics/intervals.ts',
    from: 'range.intervalOf(to - 1) === interval',
    to: 'range.intervalOf(from) === interval',
  },
  'spans of dead rows count': {
    file: 'metrics/intervals.ts',
    from: 'if (order === undefined || order.length === batch.rows) return marks;',
    to: 'if (order === undefined || order !== undefined) return marks;',
  },
  'spans of traces that several sources have count in each': {
    file: 'find-spans.ts',
    from: 'within = without(undefined, inParts, batch.rows);',
    to: '',
  },
  'filters are not asked of traces that several sources have': {
    file: 'metrics/count-spans.ts',
    from: 'if (expression === undefined || holdsOf(expression, trace, span))',
    to: 'if (true)',
  },
  'labels that are nil stay': {
    file: 'metrics/groups.ts',
    from: "labels.filter(({ value }) => value.type !== 'nil')",
    to: 'labels',
  },
  'an array counts once for each element, however often it is there': {
    file: 'metrics/labels.ts',
    from: 'return [...elements.values()];',
    to: 'return [...value.values];',
  },
  'attributes in the overflow have no groups': {
    file: 'metrics/classes.ts',
    from: "source.fragment('span', overflow, code).attributes.has(field.name)",
    to: 'false',
  },
  'an attribute without scope is not looked for in events': {
    file: 'metrics/classes.ts',
    from: 'else if (inEvents)',
    to: 'else if (false)',
  },
  'a power of two is in the bucket above it': {
    file: 'metrics/buckets.ts',
    from: '32 - Math.clz32(low - 1)',
    to: '32 - Math.clz32(low)',
  },
  'the quantile is the value after the one of its rank': {
    file: 'metrics/bucket-metric.ts',
    from: 'below + count >= rank',
    to: 'below + count > rank',
  },
  'the smallest quantile has the rank 0': {
    file: 'metrics/bucket-metric.ts',
    from: 'Math.max(1, Math.ceil(',
    to: 'Math.max(0, Math.ceil(',
  },
  'sums are of low halves': {
    file: 'metrics/number-cells.ts',
    from: '(this.#high[cell] as number) + high',
    to: '(this.#high[cell] as number)',
  },
  'the smallest is the largest': {
    file: 'metrics/number-cells.ts',
    from: 'known >= value : known <= value',
    to: 'known <= value : known >= value',
  },
  'of equal samples all are among the largest': {
    file: 'metrics/second-stages.ts',
    from: '        equals--;\n',
    to: '',
  },
  'durations that samples are compared with are nanoseconds': {
    file: 'metrics/second-stages.ts',
    from: 'return Number(value.value) / 1e9;',
    to: 'return Number(value.value);',
  },
  'the rarest values are compared': {
    file: 'metrics/comparison.ts',
    from: 'b.total - a.total',
    to: 'a.total - b.total',
  },
  'an attribute with as many values as may be has too many': {
    file: 'metrics/comparison.ts',
    from: 'attribute.values.size <= this.#maxValues',
    to: 'attribute.values.size < this.#maxValues',
  },
};
