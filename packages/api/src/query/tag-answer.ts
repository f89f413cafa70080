import { type AnswerValue, type QueryStats, textOf } from '@vivace/block-query';
import type { MetadataMetrics, TagValueMessage } from './tempopb.ts';

/** Values with the type that says how a query writes them: text of keywords stands without quotes. Nil is no value. */
export function typedTagValues(values: readonly AnswerValue[]): TagValueMessage[] {
  return values.flatMap((value) => {
    const type = tagValueType(value);
    return type === undefined ? [] : [{ type, value: textOf(value) }];
  });
}

function tagValueType({ type }: AnswerValue): TagValueMessage['type'] | undefined {
  switch (type) {
    case 'nil':
      return undefined;
    case 'int':
    case 'float':
    case 'bool':
    case 'duration':
      return type;
    case 'status':
    case 'kind':
      return 'keyword';
    case 'string':
    case 'array':
    case 'other':
      return 'string';
  }
}

/** Values as text alone, each once and sorted: `200` and `"200"` are the same. */
export function plainTagValues(values: readonly AnswerValue[]): string[] {
  return [...new Set(typedTagValues(values).map(({ value }) => value))].sort();
}

export function metadataMetrics(stats: QueryStats): MetadataMetrics {
  const { inspectedBytes, totalJobs, completedJobs, totalBlocks, totalBlockBytes } = stats;
  return { inspectedBytes, totalJobs, completedJobs, totalBlocks, totalBlockBytes };
}
