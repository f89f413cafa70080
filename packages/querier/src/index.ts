export type { HeadParts, HeadSource, HeadViews, RootBound } from './head-source.ts';
export type { PracticeAnswer } from './practice/practise.ts';
export { Querier, type QuerierAnswer, type QuerierOptions, type QueryRange } from './querier.ts';
export type { HeadRows } from './remote/head-rows.ts';
export { LogHeads, type LogHeadsOptions } from './remote/log-heads.ts';
export { RemoteHeads, type RemoteHeadsOptions } from './remote/remote-heads.ts';
export { StreamList } from './remote/stream-list.ts';
export type { NewBlock } from './trace-search.ts';
