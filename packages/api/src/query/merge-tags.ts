import { type AnswerValue, textOf } from '@vivace/block-query';
import type { TagScope, TagsAnswer, TagValuesAnswer } from '../query-engine.ts';

/** The names that any of the tenants has, sorted; at most `limit` a scope, 0 for all. */
export function mergeTagScopes(answers: readonly TagsAnswer[], limit: number): TagsAnswer['scopes'] {
  const byScope = new Map<TagScope, Set<string>>();
  for (const { name, tags } of answers.flatMap((answer) => answer.scopes)) {
    byScope.set(name, new Set([...(byScope.get(name) ?? []), ...tags]));
  }
  return [...byScope].map(([name, tags]) => ({ name, tags: atMost(limit, [...tags].sort()) }));
}

/** The values that any of the tenants has, by type and then value; at most `limit`, 0 for all. */
export function mergeTagValues(answers: readonly TagValuesAnswer[], limit: number): AnswerValue[] {
  const byText = new Map<string, AnswerValue>();
  for (const value of answers.flatMap((answer) => answer.values)) byText.set(`${value.type} ${textOf(value)}`, value);
  const values = [...byText.values()].sort(compareValues);
  return atMost(limit, values);
}

function compareValues(a: AnswerValue, b: AnswerValue): number {
  if (a.type !== b.type) return a.type < b.type ? -1 : 1;
  if ((a.type === 'int' && b.type === 'int') || (a.type === 'duration' && b.type === 'duration')) {
    return a.value < b.value ? -1 : 1;
  }
  if (a.type === 'float' && b.type === 'float') return a.value - b.value;
  return textOf(a) < textOf(b) ? -1 : 1;
}

function atMost<T>(limit: number, items: T[]): T[] {
  return limit === 0 ? items : items.slice(0, limit);
}
