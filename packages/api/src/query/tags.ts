import { INTRINSIC_TAGS, knownValues } from '@vivace/block-query';
import type { TagScope, TagsAnswer, TagValuesAnswer } from '../query-engine.ts';
import { NOTHING_READ } from './nothing-read.ts';
import { boundedLimit, cutAt, type TagsRequest, type TagValuesRequest } from './tag-request.ts';
import type { BoundEngine } from './tenants-engine.ts';

const INTRINSICS: { name: TagScope; tags: string[] } = { name: 'intrinsic', tags: [...INTRINSIC_TAGS] };

/** An answer, and why it is cut where that was not asked for. */
export type Listed<T> = T & { cut?: string | undefined };

/** The tags of a request: what is stored, and the intrinsics, which always are. */
export async function findTags(
  engine: BoundEngine,
  { scope, ...request }: TagsRequest,
  signal: AbortSignal,
): Promise<Listed<TagsAnswer>> {
  if (scope === 'trace') return { scopes: [], stats: NOTHING_READ, problems: [] };
  if (scope === 'intrinsic') return { scopes: [INTRINSICS], stats: NOTHING_READ, problems: [] };
  const answer = await engine.tags({
    ...request,
    scope: scope === 'all' ? undefined : scope,
    limit: boundedLimit(request.limit),
    signal,
  });
  const stored = answer.scopes.filter(({ name, tags }) => name !== 'intrinsic' && tags.length > 0);
  const cut = cutAt(request.limit, Math.max(0, ...stored.map(({ tags }) => tags.length)), answer.truncated);
  return { ...answer, scopes: scope === 'all' ? [...stored, INTRINSICS] : stored, cut };
}

/** The names of version 1 of the endpoint: of all scopes as one list, without intrinsics unless they are asked for. */
export function tagNames({ scope }: TagsRequest, { scopes }: TagsAnswer): string[] {
  const shown = scope === 'intrinsic' ? scopes : scopes.filter(({ name }) => name !== 'intrinsic');
  return [...new Set(shown.flatMap(({ tags }) => tags))].sort();
}

/** The values of a request. */
export async function findTagValues(
  engine: BoundEngine,
  request: TagValuesRequest,
  signal: AbortSignal,
): Promise<Listed<TagValuesAnswer>> {
  const known = knownValues(request.field);
  if (known !== undefined) return { values: known, stats: NOTHING_READ, problems: [] };
  const answer = await engine.tagValues({ ...request, limit: boundedLimit(request.limit), signal });
  return { ...answer, cut: cutAt(request.limit, answer.values.length, answer.truncated) };
}
