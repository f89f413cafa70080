export { type NaiveMetricsOptions, naiveMetrics } from './naive/metrics.ts';
export type { NaiveSpan, NaiveTrace } from './naive/model.ts';
export { type NaiveRange, type NaiveSearchOptions, naiveSearch } from './naive/search.ts';
export { naiveTags, naiveTagValues, type TagScope } from './naive/tags.ts';
export { type CaseOptions, type CorpusCase, type Evaluator, loadCorpus, runCorpusCase } from './testing/corpus.ts';
export { BASE_UNIX_NANO, type Dataset, readDataset } from './testing/dataset.ts';
export { naiveEvaluator } from './testing/naive-evaluator.ts';
export { readTraces } from './testing/read-traces.ts';
