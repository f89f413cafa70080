import type { MetricsRequest, MetricsResult } from './metrics.ts';
import type { SearchRequest, SearchResult } from './search.ts';
import type { TagValuesRequest, TagValuesResult } from './tags/tag-values.ts';
import type { TagsRequest, TagsResult } from './tags/tags.ts';

/** What can be asked of sources, as it passes between services and threads. */
export type Question =
  | { kind: 'search'; request: SearchRequest }
  | { kind: 'metrics'; request: MetricsRequest }
  | { kind: 'tags'; request: TagsRequest }
  | { kind: 'tagValues'; request: TagValuesRequest };

/** What each kind of question is answered with. */
export interface ResultOf {
  search: SearchResult;
  metrics: MetricsResult;
  tags: TagsResult;
  tagValues: TagValuesResult;
}
